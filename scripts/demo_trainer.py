"""A training loop that can be stopped at any moment: arithmetic in bf16 or f32, f32 weights, one file of state a stage."""
import copy
import json
import math
import os
import time

import torch


class Trainer:
    """Trains `module` for `steps` steps of AdamW with a cosine schedule.

    rates: learning rate of each parameter by the longest prefix of its name; parameters without one stay as they are.
    dtype: of the arithmetic, torch.bfloat16 or torch.float32; the optimiser's weights are f32 either way.
    start: called once, before the first step of all, to set the module's parameters.
    What a step draws depends on its number alone, so a run that was stopped goes on as if it had not been.
    """

    def __init__(self, stage, module, rates, steps, state, dtype, warmup=200, start=None):
        self.stage, self.module, self.steps, self.state, self.warmup = stage, module, steps, state, warmup
        groups = {}
        for name, parameter in module.named_parameters():
            prefixes = [p for p in rates if name.startswith(p)]
            parameter.requires_grad_(bool(prefixes))
            if prefixes:
                groups.setdefault(rates[max(prefixes, key=len)], []).append(parameter)
        self.bases = list(groups)
        self.trained = [p for group in groups.values() for p in group]
        self.optimizer = torch.optim.AdamW([{"params": p, "lr": r} for r, p in groups.items()], betas=(0.9, 0.98),
                                           weight_decay=0.05)
        self.step = 0
        self.file = state / f"stage{stage}.pt"
        if self.file.exists():
            found = torch.load(self.file)
            module.load_state_dict(found["model"])
            self.optimizer.load_state_dict(found["opts"][0])
            self.step = found["step"]
        elif start is not None:
            start()
        self.copy = copy.deepcopy(module).to(dtype)
        self.copies = [c for c, p in zip(self.copy.parameters(), module.parameters()) if p.requires_grad]

    @property
    def progress(self):
        return self.step / self.steps

    def save(self):
        partial = self.file.with_suffix(".partial")
        torch.save({"model": self.module.state_dict(), "opts": [self.optimizer.state_dict()], "step": self.step}, partial)
        os.replace(partial, self.file)

    def run(self, loss_of, evaluate=None, log_every=50, evaluate_every=500):
        """loss_of(module in dtype, step, progress) -> loss; evaluate(module) -> dict for the log."""
        saved = began = time.time()
        total = count = 0
        with open(self.state / f"stage{self.stage}.jsonl", "a", buffering=1) as log:
            while self.step < self.steps:
                rate = min(1, (self.step + 1) / self.warmup) * (0.51 + 0.49 * math.cos(math.pi * self.progress))
                for group, base in zip(self.optimizer.param_groups, self.bases):
                    group["lr"] = base * rate
                loss = loss_of(self.copy, self.step, self.progress)
                loss.backward()
                for parameter, copied in zip(self.trained_in_order(), self.copies):
                    parameter.grad = copied.grad.float() if copied.grad is not None else None
                    copied.grad = None
                torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
                self.optimizer.step()
                with torch.no_grad():
                    torch._foreach_copy_(self.copies, self.trained_in_order())
                self.step += 1
                total, count = total + loss.item(), count + 1
                last = self.step == self.steps
                if self.step % log_every == 0 or last:
                    row = {"stage": self.stage, "step": self.step, "of": self.steps, "loss": round(total / count, 4),
                           "ms": round((time.time() - began) / count * 1e3)}
                    if evaluate is not None and (self.step % evaluate_every == 0 or last):
                        with torch.no_grad():
                            row.update(evaluate(self.copy))
                    total, count, began = 0, 0, time.time()
                    log.write(json.dumps(row) + "\n")
                    print(row, flush=True)
                if time.time() - saved > 90 or last:
                    self.save()
                    saved = time.time()

    def trained_in_order(self):
        return [p for p in self.module.parameters() if p.requires_grad]
