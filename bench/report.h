// Records of measurements, written in one of several formats.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/statistics.h"

namespace tw::bench {

using Record = nlohmann::ordered_json;  // one measurement: a flat object

enum class Format { md, csv, json, jsonl };

// Prints records to stdout. jsonl records appear as they come; the other formats when the report ends. Every json,
// jsonl and csv record carries the environment; Markdown prints it once, above the table.
class Report {
 public:
  Report(Format format, Record environment) : format_(format), environment_(std::move(environment)) {}
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void add(Record record);

 private:
  Format format_;
  Record environment_;
  std::vector<Record> records_;
};

// The time figures of a record: runs, median_ms, mean_ms, sd_ms, min_ms, max_ms, p95_ms, p99_ms.
void add_times(Record& record, const Statistics& statistics);

// CPU, its features, compiler, commit, date.
Record environment();

// Peak resident memory of this process so far, in MB. What was used since the last call does not count once it is
// forgotten.
double peak_memory_mb();
void forget_peak_memory();

// A line on stderr, if that is a terminal.
void progress(const std::string& text);

}  // namespace tw::bench
