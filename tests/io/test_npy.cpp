#include "io/npy.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <numeric>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;

namespace {

size_t files_in(const std::filesystem::path& directory) {
  const std::filesystem::directory_iterator begin(directory), end;
  return static_cast<size_t>(std::distance(begin, end));
}

std::vector<float> counting(size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

}  // namespace

TEST_CASE("an array is written row by row and read back, in any shape") {
  const TempDir dir;
  for (const std::vector<int64_t>& row :
       std::vector<std::vector<int64_t>>{{}, {1}, {512}, {3, 4}, {2, 1, 5}, {1, 1, 1, 1, 1, 1, 2}}) {
    const size_t elements =
        static_cast<size_t>(std::accumulate(row.begin(), row.end(), int64_t{1}, std::multiplies<>()));
    const std::vector<float> values = counting(7 * elements);
    NpyWriter writer(dir.path() / "a.npy", row);
    writer.append(std::span(values).first(elements));
    writer.append({});
    writer.append(std::span(values).subspan(elements));
    CHECK(writer.rows() == 7);
    writer.finish();
    std::vector<int64_t> shape = {7};
    shape.insert(shape.end(), row.begin(), row.end());
    const NpyArray array = read_npy(dir.path() / "a.npy");
    CHECK(array.shape == shape);
    CHECK(array.values == values);
  }
  CHECK(files_in(dir.path()) == 1);
  NpyWriter(dir.path() / "none.npy", {4}).finish();
  CHECK(read_npy(dir.path() / "none.npy").shape == std::vector<int64_t>{0, 4});
}

TEST_CASE("the bytes are those of the format") {
  const TempDir dir;
  NpyWriter writer(dir.path() / "a.npy", {2});
  const std::vector<float> values = {1, -2};
  writer.append(values);
  writer.finish();
  const std::string bytes = read_text(dir.path() / "a.npy");
  REQUIRE(bytes.size() == 128 + 8);
  CHECK(bytes.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  CHECK(bytes.substr(10, 60) == "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), } ");
  CHECK(bytes[127] == '\n');
  CHECK(std::memcmp(bytes.data() + 128, values.data(), 8) == 0);
  // What numpy.save writes: less padding, and a comma after a single size.
  const std::string numpy =
      std::string("\x93NUMPY\x01\x00\x76\x00", 10) + "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  dir.write("n.npy", numpy + std::string(127 - numpy.size(), ' ') + "\n" + bytes.substr(128));
  CHECK(read_npy(dir.path() / "n.npy").shape == std::vector<int64_t>{2});
}

TEST_CASE("nothing is written half: an unfinished or failed array leaves what was there") {
  const TempDir dir;
  dir.write("a.npy", "old");
  {
    NpyWriter writer(dir.path() / "a.npy", {1 << 20});
    writer.append(counting(1 << 20));
    CHECK(read_text(dir.path() / "a.npy") == "old");
  }
  CHECK(read_text(dir.path() / "a.npy") == "old");
  CHECK(files_in(dir.path()) == 1);

  // A full disk, played by a limit on file sizes.
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string message;
  try {
    NpyWriter writer(dir.path() / "a.npy", {1 << 18});
    for (int i = 0; i < 8; ++i) writer.append(counting(1 << 18));
    writer.finish();
  } catch (const Error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  CHECK_THAT(message, Catch::Matchers::Contains("a.npy") && Catch::Matchers::Contains("File too large"));
  CHECK(read_text(dir.path() / "a.npy") == "old");
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("where an array cannot be written") {
  const TempDir dir;
  const auto open = [](const std::filesystem::path& path) { NpyWriter writer(path, {1}); };
  expect_error(
      ErrorCode::io_error, [&] { open(dir.path() / "none" / "a.npy"); }, "a.npy", "No such file");
  expect_error(
      ErrorCode::io_error, [&] { open(dir.path()); }, "a regular file");
  expect_error(
      ErrorCode::io_error, [&] { open("/dev/null"); }, "/dev/null");
  expect_error(
      ErrorCode::invalid_argument, [&] { NpyWriter(dir.path() / "a", {0}); }, "row_shape");
  expect_error(
      ErrorCode::invalid_argument, [&] { NpyWriter(dir.path() / "a", {-1}); }, "row_shape");
  expect_error(
      ErrorCode::invalid_argument, [&] { NpyWriter(dir.path() / "a", std::vector<int64_t>(8, 1)); }, "row_shape");
  NpyWriter writer(dir.path() / "a", {3});
  expect_error(
      ErrorCode::invalid_argument, [&] { writer.append(counting(4)); }, "multiple of 3");
}

TEST_CASE("a link to the file stays a link, and permissions are the usual ones") {
  const TempDir dir;
  dir.write("real.npy", "old");
  std::filesystem::create_symlink("real.npy", dir.path() / "link.npy");
  NpyWriter(dir.path() / "link.npy", {2}).finish();
  CHECK(std::filesystem::is_symlink(dir.path() / "link.npy"));
  CHECK(read_npy(dir.path() / "real.npy").shape == std::vector<int64_t>{0, 2});
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat status;
  REQUIRE(::stat((dir.path() / "real.npy").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == (0666 & ~mask));
}

TEST_CASE("files that are not such arrays") {
  const TempDir dir;
  NpyWriter writer(dir.path() / "a.npy", {2});
  writer.append(counting(6));
  writer.finish();
  const std::string good = read_text(dir.path() / "a.npy");
  for (size_t n = 0; n < good.size(); ++n) {
    dir.write("a.npy", good.substr(0, n));
    CHECK_THROWS_AS(read_npy(dir.path() / "a.npy"), Error);
  }
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    bytes.replace(bytes.find(from), from.size(), to);
    dir.write("a.npy", bytes);
    read_npy(dir.path() / "a.npy");
  };
  expect_error(
      ErrorCode::unsupported, [&] { with("<f4", ">f4"); }, "header");
  expect_error(
      ErrorCode::unsupported, [&] { with("False", "True "); }, "header");
  expect_error(
      ErrorCode::unsupported, [&] { with("NUMPY\x01", "NUMPY\x02"); }, "version");
  for (const char* shape : {"(3, 3)", "(6)   ", "(-3,-2", "(3, 2]", "(3 ,2)", "(3, 2}", "()    ", "(,)   ", "3, 2) "})
    CHECK_THROWS_AS(with("(3, 2)", shape), Error);
  expect_error(
      ErrorCode::malformed, [&] { with("}", "]"); }, "shape");
  dir.write("a.npy", good);
  expect_error(
      ErrorCode::limit_exceeded, [&] { read_npy(dir.path() / "a.npy", 100); }, "a.npy");
}
