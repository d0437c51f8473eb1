#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>

#include "bench/command.h"
#include "bench/inputs.h"
#include "tuwen/tuwen.hpp"

namespace tw::bench {
namespace {

struct Options {
  Common common;
  std::string model, precision = "f32";
  int tokens = 12, rounds = 5;
};

// One image or one text, again and again.
struct Job {
  bool image;
  std::vector<float> pixels;
  std::vector<int32_t> ids;

  void encode(tuwen::Session& session, std::span<float> out) const {
    if (image) return session.encode_pixels(pixels, out);
    const int64_t row_begin[] = {0, static_cast<int64_t>(ids.size())};
    session.encode_tokens(ids, row_begin, out);
  }
};

Job make_job(bool image, int tokens, const tuwen::Model& model) {
  const tuwen_model_info info = model.info();
  if (!image) return {false, {}, token_row(tokens, info.vocabulary_size, 1)};
  const std::vector<uint8_t> rgb = photograph(info.image_size, info.image_size, 1);
  std::vector<tuwen::Image> one;
  one.push_back(
      tuwen::Image::from_pixels({rgb.data(), info.image_size, info.image_size, 3 * info.image_size, 3}, rgb.size()));
  return {true, model.processor().preprocess(one).data, {}};
}

tuwen::Session make_session(const tuwen::Model& model, int threads, tuwen_thread_source source) {
  auto options = tuwen::make<tuwen_session_options>();
  options.threads = threads;
  options.thread_source = source;
  return tuwen::Session(model, &options);
}

// Something else that wants the CPUs while it lives.
class Disturbance {
 public:
  virtual ~Disturbance() = default;
};

// Another session of the same program that encodes the same.
class OtherSession : public Disturbance {
 public:
  OtherSession(const tuwen::Model& model, const Job& job, int threads, tuwen_thread_source source)
      : thread_([this, &model, &job, threads, source] {
          tuwen::Session session = make_session(model, threads, source);
          std::vector<float> out(static_cast<size_t>(model.info().embedding_size));
          while (!stop_.load()) {
            job.encode(session, out);
            running_.store(true);
          }
        }) {
    while (!running_.load()) std::this_thread::yield();
  }
  ~OtherSession() override {
    stop_.store(true);
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false}, running_{false};
  std::thread thread_;
};

// Processes that compute and never wait.
class OtherProcesses : public Disturbance {
 public:
  explicit OtherProcesses(int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::atomic<int> x{0};
        for (;;) x.store(x.load() + 1);
      }
      if (child > 0) children_.push_back(child);
    }
  }
  ~OtherProcesses() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }

 private:
  std::vector<pid_t> children_;
};

struct Condition {
  std::string name;
  int threads;
  tuwen_thread_source source;
  double fair;  // times the undisturbed run when the CPUs are shared evenly among all threads that compute
  std::function<std::unique_ptr<Disturbance>()> disturb;
};

// In turn, undisturbed and disturbed, so that a change of the machine's speed meets both.
Record compare(const Options& o, const tuwen::Model& model, const Job& job, int cores, const Condition& c) {
  tuwen::Session plain = make_session(model, cores, TUWEN_THREADS_OWN);
  tuwen::Session session = make_session(model, c.threads, c.source);
  std::vector<float> out(static_cast<size_t>(model.info().embedding_size));
  std::vector<double> undisturbed, disturbed;
  const auto sample = [&](tuwen::Session& s, std::vector<double>& samples) {
    for (int i = 0; i < 2; ++i) job.encode(s, out);
    const double end = now_ms() + o.common.repetition.seconds * 1e3 / o.rounds;
    for (int i = 0; i < o.common.repetition.least || now_ms() < end; ++i) {
      const double begin = now_ms();
      job.encode(s, out);
      samples.push_back(now_ms() - begin);
    }
  };
  for (int round = 0; round < o.rounds; ++round) {
    sample(plain, undisturbed);
    const std::unique_ptr<Disturbance> disturbance = c.disturb ? c.disturb() : nullptr;
    sample(session, disturbed);
  }
  const Statistics before = summarize(undisturbed), with = summarize(disturbed);
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  Record record = {{"bench", "threads"},
                   {"tower", job.image ? "image" : "text"},
                   {"condition", c.name},
                   {"threads", c.threads},
                   {"precision", o.precision},
                   {"omp_wait_policy", policy == nullptr ? "" : policy},
                   {"undisturbed_median_ms", before.median},
                   {"undisturbed_p95_ms", before.p95}};
  add_times(record, with);
  record["ratio"] = with.median / before.median;
  record["p95_ratio"] = with.p95 / before.p95;
  record["fair_ratio"] = c.fair;
  return record;
}

void run(const Options& o) {
  Report report = o.common.report();
  auto load = tuwen::make<tuwen_load_options>();
  load.precision = o.precision == "int8" ? TUWEN_INT8 : o.precision == "bf16" ? TUWEN_BF16 : TUWEN_F32;
  const tuwen::Model model = tuwen::Model::load(o.model, &load);
  const int cores = query_cpu().cores;
  for (const bool image : {true, false}) {
    const Job job = make_job(image, o.tokens, model);
    const auto other_session = [&] { return std::make_unique<OtherSession>(model, job, cores, TUWEN_THREADS_OWN); };
    const auto other_processes = [](int count) { return [=] { return std::make_unique<OtherProcesses>(count); }; };
    const double all = cores;
    std::vector<Condition> conditions = {
        {"own threads", cores, TUWEN_THREADS_OWN, 1, nullptr},
        {"OpenMP's threads", cores, TUWEN_THREADS_OPENMP, 1, nullptr},
        {"two sessions at once", cores, TUWEN_THREADS_OWN, 2, other_session},
        {"OpenMP's threads, and another session", cores, TUWEN_THREADS_OPENMP, 2, other_session},
        {"a competing process", cores, TUWEN_THREADS_OWN, (all + 1) / all, other_processes(1)},
        {"a competing process a core", cores, TUWEN_THREADS_OWN, 2, other_processes(cores)},
        {"twice as many threads as cores", 2 * cores, TUWEN_THREADS_OWN, 1, nullptr},
        {"four times as many threads as cores", 4 * cores, TUWEN_THREADS_OWN, 1, nullptr},
        {"OpenMP, twice as many threads as cores", 2 * cores, TUWEN_THREADS_OPENMP, 1, nullptr},
    };
    for (const Condition& c : conditions) {
      progress(std::string(image ? "image" : "text") + ": " + c.name);
      try {
        report.add(compare(o, model, job, cores, c));
      } catch (const tuwen::Error& error) {
        if (error.status() != TUWEN_UNSUPPORTED) throw;  // else a build without OpenMP has one row less
      }
    }
  }
  progress("");
}

}  // namespace

void add_threads(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "threads", "an image and a text while something else wants the CPUs, in turn with the same undisturbed");
  auto o = std::make_shared<Options>();
  o->common.repetition = {.warmup = 0, .least = 5, .most = 100000, .seconds = 1.0};
  add_common_options(*command, o->common);
  add_model_option(*command, o->model);
  command->add_option("--precision", o->precision, "f32, bf16 or int8")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  command->add_option("--tokens", o->tokens, "of the text")->capture_default_str();
  command->add_option("--rounds", o->rounds, "turns of undisturbed and disturbed runs")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->callback([=] { run(*o); });
}

}  // namespace tw::bench
