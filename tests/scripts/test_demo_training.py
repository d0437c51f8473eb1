"""What scripts/train_demo.py is made of. Skipped (77) where torch, transformers or Pillow is missing."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
try:
    import torch
    import demo_model
    from demo_data import Emoji, pair_is_held_out
    from demo_scenes import MEAN, SIZE, STD, SceneMaker, picture, preprocess
    from demo_texts import ANIMALS, Texts, counted, vocabulary
    from demo_trainer import Trainer
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

EMOJI = [Emoji("a", "红苹果", ("苹果", "水果")), Emoji(ANIMALS[0], "猫", ("动物",)), Emoji(ANIMALS[1], "狗", ("动物",)),
         Emoji("b", "苹果", ("水果",))]
KEYWORDS = {"水果": {0, 3}, "动物": {1, 2}, "苹果": {0}}


class Data(unittest.TestCase):
    def test_held_out_pairs(self):
        first, second = torch.arange(300).repeat(300), torch.arange(300).repeat_interleave(300)
        held = pair_is_held_out(first, second)
        self.assertTrue(torch.equal(held, pair_is_held_out(second, first)))
        self.assertAlmostEqual(held.float().mean().item(), 0.1, delta=0.01)
        self.assertEqual([bool(h) for h in held[:500]], [pair_is_held_out(int(a), int(b)) for a, b in zip(first[:500], second[:500])])

    def test_which_texts_are_true(self):
        texts = Texts(EMOJI, KEYWORDS)
        number = {word: i for i, word in enumerate(texts.concepts)}
        first, second = torch.tensor([0, 1, 1, 3]), torch.tensor([-1, -1, 0, -1])
        concepts = torch.tensor([[number["苹果"], -1], [number["动物"], -1], [number["动物"], number["水果"]], [number["红苹果"], -1]])
        self.assertEqual(texts.truth(first, second, concepts).tolist(), [
            [True, False, False, True], [False, True, False, False], [True, True, True, True], [True, False, False, False]])
        drawn, own = texts.draw(first, second, 3)
        self.assertTrue(texts.truth(first, second, own).diagonal().all())
        self.assertEqual(texts.draw(first, second, 3)[0], drawn)
        self.assertEqual([counted(EMOJI, i, EMOJI[i].name) for i in (0, 1)], ["一个红苹果", "一只猫"])

    def test_vocabulary_spells_every_name(self):
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = demo_model.write_tokenizer(pathlib.Path(folder), vocabulary(EMOJI, KEYWORDS))
        self.assertEqual((tokenizer.pad_token_id, tokenizer.vocab_size), (0, len(tokenizer)))
        for one in EMOJI:
            self.assertNotIn(tokenizer.unk_token_id, tokenizer(f"一张{one.name}的图片, 2B")["input_ids"])

    def test_both_renderers_draw_the_emoji(self):
        red = Image.new("RGBA", (136, 136), (255, 0, 0, 255))
        generator = torch.Generator().manual_seed(1)
        scenes = SceneMaker([red], 1).scenes(torch.zeros(64, dtype=torch.int64), torch.full((64,), -1), 0.0, generator)
        drawn = preprocess([picture([red], seed) for seed in range(64)])
        for pixels in (scenes, drawn):
            self.assertEqual(pixels.shape, (64, 3, SIZE, SIZE))
            rgb = (pixels * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)).mean(0)
            centre = rgb[:, SIZE // 3 : 2 * SIZE // 3, SIZE // 3 : 2 * SIZE // 3].mean((1, 2))
            self.assertGreater(centre[0] - centre[1:].max(), 0.4)


class Training(unittest.TestCase):
    def test_true_pairs_are_no_negatives(self):
        logits = torch.tensor([[2.0, 9.0], [-1.0, 2.0]])
        own = torch.eye(2, dtype=torch.bool)
        masked = demo_model.contrastive_loss(logits, torch.tensor([[True, True], [False, True]]))
        self.assertGreater(demo_model.contrastive_loss(logits, own), masked)
        self.assertAlmostEqual(masked.item(), torch.log1p(torch.tensor(-3.0).exp()).item() / 2, places=6)

    def test_a_stopped_run_goes_on(self):
        def trained(stops, dtype):
            with tempfile.TemporaryDirectory() as folder:
                for stop in stops:
                    torch.manual_seed(0)
                    module = torch.nn.ModuleDict({"moving": torch.nn.Linear(3, 2), "still": torch.nn.Linear(2, 2)})
                    start = {k: v.clone() for k, v in module.state_dict().items()}
                    trainer = Trainer(0, module, {"moving": 1e-2}, 6, pathlib.Path(folder), dtype, warmup=1)

                    def loss_of(copy, step, progress):
                        if trainer.step == stop:
                            trainer.save()
                            raise KeyboardInterrupt
                        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step)).to(dtype)
                        return copy["still"](copy["moving"](x)).float().square().mean()

                    try:
                        trainer.run(loss_of)
                    except KeyboardInterrupt:
                        pass
                return start, module.state_dict()

        for dtype in (torch.bfloat16, torch.float32):
            start, whole = trained([99], dtype)
            _, pieces = trained([2, 3, 99], dtype)
            for name in whole:
                self.assertTrue(torch.equal(whole[name], pieces[name]), name)
                self.assertEqual(torch.equal(whole[name], start[name]), name.startswith("still"), name)

    def test_patches_begin_with_unit_variance(self):
        clip = demo_model.build(100)
        pixels = torch.nn.functional.interpolate(torch.randn(512, 3, 30, 30, generator=torch.Generator().manual_seed(3)), (SIZE, SIZE))
        demo_model.start_patches(clip, pixels)
        found = clip.vision_model.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2).flatten(0, 1)
        covariance = found.t() @ found / len(found)
        strong = covariance.diagonal() > 0.5  # those whose variance is not what keeps the division finite
        self.assertGreater(strong.sum(), 64)
        self.assertLess((covariance[strong][:, strong].fill_diagonal_(1.0) - torch.eye(int(strong.sum()))).abs().max(), 0.05)
        positions = clip.vision_model.embeddings.position_embedding.weight[1:]
        self.assertLess(torch.corrcoef(positions).fill_diagonal_(0).max(), 0.99)

    def test_the_discriminant_tells_classes_apart(self):
        generator = torch.Generator().manual_seed(5)
        module = demo_model.Classifier(demo_model.build(100), 200)
        signal, noise = torch.randn(200, 256, generator=generator), torch.randn(4, 200, 256, generator=generator)
        loud = torch.ones(256)
        loud[:100] = 5.0  # directions in which only noise is large
        pooled = 3.0 + (signal * (loud == 1) + noise * loud)
        module.start_as_discriminant(pooled)
        fresh = signal * (loud == 1) + torch.randn(200, 256, generator=generator) * loud
        features = torch.nn.functional.normalize(module.projection(fresh), dim=-1)
        hit = (features @ module.classes.t()).argmax(1) == torch.arange(200)
        self.assertGreater(hit.float().mean(), 0.9)
        plain = torch.nn.functional.normalize(fresh, dim=-1) @ torch.nn.functional.normalize(pooled.mean(0) - 3.0, dim=-1).t()
        self.assertLess((plain.argmax(1) == torch.arange(200)).float().mean(), 0.5)


if __name__ == "__main__":
    unittest.main()
