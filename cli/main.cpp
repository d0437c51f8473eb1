// tuwen: the command line over the public interface. Exit status 0; 1 for a failed operation; 2 for a wrong command
// line.
#include <iostream>

#include "cli/arguments.h"
#include "cli/command.h"

namespace {

constexpr int kFailed = 1, kWrongCommandLine = 2;

int fail(int status, const char* what) {
  std::cerr << "tuwen: " << what << "\n";
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tuwen_cli;
  CLI::App program{"Chinese-CLIP image and text embeddings", "tuwen"};
  program.set_version_flag("--version", std::string("tuwen ") + tuwen_version());
  program.require_subcommand(1);
  add_info(program);
  add_similarity(program);
  add_classify(program);
  add_embed(program);
  add_index(program);
  add_search(program);
  add_features(program);
  add_retrieve(program);
  add_recall(program);
  add_tokenize(program);
  add_drift(program);
  add_calibrate(program);
  add_selftest(program);
  add_verify(program);
  try {
    program.parse(read_arguments(program, argc, argv));  // runs the chosen subcommand
    std::cout.flush();
    if (!std::cout) throw Failure("standard output: could not be written");
    return 0;
  } catch (const CLI::Success& request) {
    return program.exit(request);  // --help, --version
  } catch (const CLI::ParseError& error) {
    const std::string unknown = not_understood(program);
    const bool required = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if (!unknown.empty()) {
      fail(kWrongCommandLine,
           ("not understood: " + unknown + (required ? "; " + std::string(error.what()) : "")).c_str());
    } else {
      fail(kWrongCommandLine, error.what());
    }
    std::cerr << "Try 'tuwen --help' or 'tuwen COMMAND --help'.\n";
    return kWrongCommandLine;
  } catch (const UsageError& error) {
    return fail(kWrongCommandLine, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kFailed, "out of memory");
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
}
