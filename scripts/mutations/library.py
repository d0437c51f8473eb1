"""Of products by a device's library."""

from mutations.mutation import Mutation

BLASLT = "kernels/blaslt_product.cpp"
TRIAL = "kernels/product_trial.cpp"
CHOICES = "kernels/product_choices.cpp"
RESULTS = "kernels/cuda/library_results.cu"


def library(*arguments, tests=("test_cuda",)):
    return Mutation(*arguments, tests=tests)


LIBRARY = [
    # What the library is told.
    library(
        "blaslt-x-stride", BLASLT, "rows of x lie side by side",
        "p_.k, p_.rows, p_.x_stride)",
        "p_.k, p_.rows, p_.k)"),
    library(
        "blaslt-y-stride", BLASLT, "rows of results lie side by side",
        "p_.columns, p_.rows, p_.y_stride)",
        "p_.columns, p_.rows, p_.columns)"),
    library(
        "blaslt-residual", BLASLT, "what was there is forgotten",
        "p_.add_to_output ? 1.0f : 0.0f",
        "0.0f"),
    library(
        "blaslt-bias", BLASLT, "a bias of f32 is handed over as one of the results' type",
        "return p.y_type == DType::f32 ? p.bias : w.bias;",
        "return w.bias == nullptr ? nullptr : p.bias;"),
    library(
        "blaslt-reductions", BLASLT, "parts of sums may be added up in bf16",
        "      set(blaslt::kReductions, blaslt::kInComputeType) &&  // not in bf16 or f16\n",
        ""),
    library(
        "blaslt-alignment", BLASLT, "the library is told that all results lie as malloc has them",
        "const uint32_t y_alignment = alignment_of(p_.y);",
        "const uint32_t y_alignment = 256;"),
    library(
        "blaslt-workspace", BLASLT, "a candidate may need more workspace than there is",
        "return c.status == 0 && c.workspace <= static_cast<size_t>(kWorkspace);",
        "return c.status == 0;"),
    library(
        "blaslt-activation", BLASLT, "results stay without their activation",
        "if (p_.activation != Activation::linear)",
        "if (false)"),
    # Who is chosen.
    library(
        "trial-compare", TRIAL, "results that differ are as good as others",
        "      if (share > 1) continue;\n",
        ""),
    library(
        "trial-fastest", TRIAL, "the last candidate is chosen, fast or not",
        "if (taken < least) least",
        "if (taken != least) least"),
    library(
        "trial-median", TRIAL, "times count from the first mark",
        "marks_[i].milliseconds_to(marks_[i + 1])",
        "marks_[0].milliseconds_to(marks_[i + 1])"),
    library(
        "trial-residual", TRIAL, "a residual of zeros cannot be missed",
        "    if (p_.add_to_output) return own(y, false);\n",
        ""),
    library(
        "trial-stale", TRIAL, "what the own kernel has left passes for a candidate's",
        "      begin(found_.data());\n",
        ""),
    library(
        "trial-finite", TRIAL, "what is not finite decides",
        "return {.decided = false};",
        "return {};"),
    library(
        "trial-wait", TRIAL, "an error of the work before is taken for the trial's",
        '  check_device(place.device, place.device.wait(place.stream), "computation");\n  try',
        "  try"),
    library(
        "trial-leave", TRIAL, "memory goes while the stream uses it",
        "~Trial() { place_.device.wait(place_.stream); }",
        "~Trial() {}"),
    library(
        "choices-may-try", CHOICES, "trials are made whenever there is no choice",
        "    if (!lane.may_try) return false;\n",
        ""),
    library(
        "choices-rows", CHOICES, "every number of rows is measured",
        "return round_up(rows, std::max(kLeastStep, power / kSteps));",
        "return rows + 0 * (kLeastStep + power / kSteps);"),
    library(
        "choices-check", CHOICES, "the library is not asked whether it can compute another number of rows",
        "if (p.rows != choice->rows && !product.can(*choice->algorithm)) return false;\n",
        ""),
    library(
        "choices-alignment", CHOICES, "rows that begin elsewhere have the choice of those that are aligned",
        ".x_alignment = alignment_of(p.x),",
        ".x_alignment = 0,"),
    library(
        "choices-close", CHOICES, "the library stays open",
        "if (open() && device_",
        "if (false && device_"),
    library(
        "library-lowest", RESULTS, "what f16 does not hold becomes NaN",
        "return v < kLowest ? kLowest : v;",
        "return v < kLowest ? v : v;"),
    library(
        "library-tail", RESULTS, "eight numbers are taken where fewer are left",
        "aligned ? p.columns / kAtOnce * kAtOnce : 0",
        "aligned ? (p.columns + kAtOnce - 1) / kAtOnce * kAtOnce : 0"),
    library(
        "library-compare-row", RESULTS, "the root mean square of a row is its length",
        "sqrtf(squares / static_cast<float>(p.columns))",
        "sqrtf(squares)"),
    library(
        "library-compare-nan", RESULTS, "NaN passes for equal",
        "is_finite(share) ? share : HUGE_VALF",
        "share"),
    # Sessions.
    library(
        "library-rows", "kernels/pack.cpp", "plain rows have every second strip's weights",
        "to[lane * depth_ / kPair + w] = from[w * kStrip + lane];",
        "to[lane * depth_ / kPair + w] = from[w * kStrip + lane / 2];",
        tests=("test_kernels",)),
    library(
        "library-recording", "models/session_device.h", "products are tried while a slice is recorded",
        "ex.products.may_try = !recorded;",
        "ex.products.may_try = true;"),
    library(
        "library-weights", "models/chinese_clip.cpp", "the second copy of weights is not counted",
        "from.weight_bytes_ + upload.plain_bytes();",
        "from.weight_bytes_;"),
    library(
        "library-workspace", "models/session_plan.cpp", "workspaces are not planned",
        "? BlasLtProduct::kWorkspace : 0};",
        "? 0 : 0};"),
    library(
        "library-version", "core/blaslt.cpp", "a library without the functions is as good as another",
        "if (!find_all(library, api)) {",
        "if (find_all(library, api), false) {", tests=("test_core",)),
]
