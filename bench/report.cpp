#include "bench/report.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace tw::bench {
namespace {

std::string cell(const Record& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value.get<double>());
    return text;
  }
  return value.is_null() ? "" : value.dump();
}

// Columns in the order in which records bring them up.
std::vector<std::string> columns_of(const std::vector<Record>& records) {
  std::vector<std::string> columns;
  for (const Record& record : records)
    for (const auto& [key, value] : record.items())
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
  return columns;
}

void print_markdown(const std::vector<Record>& records, const Record& environment) {
  for (const auto& [key, value] : environment.items()) std::cout << "- " << key << ": " << cell(value) << "\n";
  const std::vector<std::string> columns = columns_of(records);
  std::cout << "\n|";
  for (const std::string& c : columns) std::cout << " " << c << " |";
  std::cout << "\n|";
  for (size_t i = 0; i < columns.size(); ++i) std::cout << "---|";
  std::cout << "\n";
  for (const Record& record : records) {
    std::cout << "|";
    for (const std::string& c : columns) std::cout << " " << (record.contains(c) ? cell(record.at(c)) : "") << " |";
    std::cout << "\n";
  }
}

std::string csv_cell(const Record& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void print_csv(const std::vector<Record>& records) {
  const std::vector<std::string> columns = columns_of(records);
  for (size_t i = 0; i < columns.size(); ++i) std::cout << (i == 0 ? "" : ",") << columns[i];
  std::cout << "\n";
  for (const Record& record : records) {
    for (size_t i = 0; i < columns.size(); ++i)
      std::cout << (i == 0 ? "" : ",") << (record.contains(columns[i]) ? csv_cell(record.at(columns[i])) : "");
    std::cout << "\n";
  }
}

}  // namespace

Report::~Report() {
  switch (format_) {
    case Format::md:
      print_markdown(records_, environment_);
      break;
    case Format::csv:
      print_csv(records_);
      break;
    case Format::json:
      std::cout << Record(records_).dump(1) << "\n";
      break;
    case Format::jsonl:
      break;
  }
  std::cout.flush();
}

void Report::add(Record record) {
  if (format_ != Format::md) record.update(environment_);
  if (format_ == Format::jsonl) std::cout << record.dump() << std::endl;
  records_.push_back(std::move(record));
}

void add_times(Record& record, const Statistics& s) {
  record["median_ms"] = s.median;
  record["mean_ms"] = s.mean;
  record["sd_ms"] = s.sd;
  record["min_ms"] = s.min;
  record["max_ms"] = s.max;
  record["p95_ms"] = s.p95;
  record["p99_ms"] = s.p99;
  record["runs"] = s.runs;
}

void progress(const std::string& text) {
  if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K%s", text.c_str());
}

}  // namespace tw::bench
