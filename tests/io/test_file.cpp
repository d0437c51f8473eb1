#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "io/file.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;

namespace {

std::string read_string(const File& file, int64_t offset, size_t bytes) {
  std::string out(bytes, '?');
  file.read_at(offset, std::as_writable_bytes(std::span(out)));
  return out;
}

}  // namespace

TEST_CASE("a file is read at any position and in full") {
  const TempDir dir;
  const File file = File::open(dir.write("a", "0123456789"));
  CHECK(file.size() == 10);
  CHECK(read_string(file, 0, 10) == "0123456789");
  CHECK(read_string(file, 7, 3) == "789");
  CHECK(read_string(file, 10, 0).empty());
  CHECK_NOTHROW(file.check_unchanged());
}

TEST_CASE("a read beyond the end is truncated, naming the file") {
  const TempDir dir;
  const File file = File::open(dir.write("short.bin", "0123456789"));
  expect_error(
      ErrorCode::truncated, [&] { read_string(file, 8, 3); }, "short.bin", "1 more bytes", "byte 10");
  expect_error(
      ErrorCode::truncated, [&] { read_string(file, 1 << 20, 1); }, "short.bin");
}

TEST_CASE("only regular files open, and nothing blocks") {
  const TempDir dir;
  expect_error(
      ErrorCode::io_error, [&] { File::open(dir.path() / "none"); }, "none", "No such file");
  expect_error(
      ErrorCode::io_error, [&] { File::open(dir.path()); }, "a directory");
  const std::filesystem::path pipe = dir.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  expect_error(
      ErrorCode::io_error, [&] { File::open(pipe); }, "pipe", "a regular file");
  expect_error(
      ErrorCode::io_error, [&] { File::open("/dev/zero"); }, "a regular file");
  expect_error(
      ErrorCode::io_error, [&] { File::open(std::string("a\nb")); }, "a\\x0ab");
}

TEST_CASE("symbolic links are followed, broken and circular ones are errors") {
  const TempDir dir;
  dir.write("blob", "content");
  std::filesystem::create_symlink("blob", dir.path() / "link");
  CHECK(read_whole(dir.path() / "link", 100) == "content");
  std::filesystem::create_symlink("nothing", dir.path() / "broken");
  expect_error(
      ErrorCode::io_error, [&] { File::open(dir.path() / "broken"); }, "broken");
  std::filesystem::create_symlink("round", dir.path() / "round");
  expect_error(
      ErrorCode::io_error, [&] { File::open(dir.path() / "round"); }, "round");
}

TEST_CASE("a file that shrinks or is rewritten under us is noticed") {
  const TempDir dir;
  const std::filesystem::path path = dir.write("a", std::string(100, 'x'));
  const File file = File::open(path);
  std::filesystem::resize_file(path, 50);
  expect_error(
      ErrorCode::truncated, [&] { read_string(file, 0, 100); }, "byte 50");
  expect_error(
      ErrorCode::io_error, [&] { file.check_unchanged(); }, "changed");

  const File rewritten = File::open(path);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // more than a clock tick of the file system
  dir.write("a", std::string(50, 'y'));
  expect_error(
      ErrorCode::io_error, [&] { rewritten.check_unchanged(); }, "changed");

  const File replaced = File::open(path);  // rename keeps the old content alive: no error
  dir.write("b", std::string(50, 'z'));
  std::filesystem::rename(dir.path() / "b", path);
  CHECK(read_string(replaced, 0, 50) == std::string(50, 'y'));
  CHECK_NOTHROW(replaced.check_unchanged());
}

TEST_CASE("a file moves without losing or closing twice its descriptor") {
  const TempDir dir;
  File a = File::open(dir.write("a", "aaa"));
  File b = File::open(dir.write("b", "bbb"));
  File c = std::move(a);
  b = std::move(c);
  CHECK(read_string(b, 0, 3) == "aaa");
}

TEST_CASE("reads survive interruptions by signals") {
  const TempDir dir;
  const std::string content(64 << 20, 'q');
  const File file = File::open(dir.write("big", content));
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // no SA_RESTART: system calls return EINTR
  struct sigaction before;
  REQUIRE(::sigaction(SIGALRM, &action, &before) == 0);
  itimerval timer = {{0, 200}, {0, 200}};
  REQUIRE(::setitimer(ITIMER_REAL, &timer, nullptr) == 0);
  const bool equal = read_string(file, 0, content.size()) == content;
  timer = {};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  CHECK(equal);
}

TEST_CASE("read_whole has a limit") {
  const TempDir dir;
  dir.write("a", "12345");
  CHECK(read_whole(dir.path() / "a", 5) == "12345");
  expect_error(
      ErrorCode::limit_exceeded, [&] { read_whole(dir.path() / "a", 4); }, "at most 4 bytes", "found 5");
  dir.write("empty", "");
  CHECK(read_whole(dir.path() / "empty", 0).empty());
}
