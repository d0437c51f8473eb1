// Approximate search: what it finds, that its scores are those of exact search, and what its files survive.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include "cli/cluster_build.h"
#include "cli/cluster_file.h"
#include "cli/clustered_index.h"
#include "cli/nearest.h"
#include "cli/search_index.h"

using namespace tuwen_cli;

namespace {

constexpr size_t kGroups = 150, kInGroup = 40;

std::string number(size_t i) {
  const std::string digits = std::to_string(i);
  return std::string(8 - digits.size(), '0') + digits;
}

// An index in a folder of its own, and the model that compares its vectors.
class IndexedVectors {
 public:
  IndexedVectors() : model_(tuwen::Model::load(TUWEN_TEST_DATA "/models/base")), session_(model_) {
    std::filesystem::create_directory(folder_);
  }
  ~IndexedVectors() { std::filesystem::remove_all(folder_); }

  void put(const ContentHash& hash, std::vector<float> vector) { vectors_[hash] = std::move(vector); }
  // Two pictures for every third vector.
  void write() const {
    IndexContent content;
    content.origin.precision = "f32";
    content.origin.dimension = dimension();
    content.origin.root = "/pictures";
    std::vector<std::pair<std::string, uint64_t>> paths;
    for (const auto& [hash, vector] : vectors_) {
      const uint64_t i = content.hashes.size();
      content.hashes.push_back(hash);
      paths.emplace_back(hex(hash), i);
      if (i % 3 == 0) paths.emplace_back("a copy of " + hex(hash), i);
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& [path, vector] : paths) content.pictures.push_back({path, 1, 1, vector});
    write_index(path(), content, [&](size_t i) { return std::span<const float>(vectors_.at(content.hashes[i])); });
  }
  size_t dimension() const { return static_cast<size_t>(model_.info().embedding_size); }
  std::string path() const { return folder_ + "/index"; }
  ClusterReport update(const IndexFile* before = nullptr) { return update_clusters(path(), before, session_, true); }
  std::vector<FoundMatch> exactly(const std::vector<float>& query, size_t top) {
    return search_exactly(session_, model_.info().logit_scale, IndexFile(path()), query, top);
  }
  std::vector<FoundMatch> approximately(const std::vector<float>& query, size_t top, size_t probes) {
    ClusteredIndex index(path());
    return search_approximately(session_, model_.info().logit_scale, index, query, top, probes);
  }

 private:
  std::string folder_ =
      std::filesystem::temp_directory_path() / ("tuwen-clusters-" + std::to_string(std::random_device{}()));
  tuwen::Model model_;
  tuwen::Session session_;
  std::map<ContentHash, std::vector<float>> vectors_;
};

// Vectors in groups of one size and spread.
class Collection : public IndexedVectors {
 public:
  Collection() {
    for (size_t i = 0; i < kGroups * kInGroup; ++i) add(i);
    write();
  }
  // Vector i, of group i % kGroups.
  void add(size_t i) { put(content_hash(number(i)), near(i % kGroups, static_cast<unsigned>(i))); }
  // A vector near the middle of a group.
  std::vector<float> near(size_t group, unsigned seed) const {
    std::vector<float> vector(dimension());
    std::mt19937 middle(static_cast<unsigned>(group)), around(1000000 + seed);
    std::normal_distribution<float> normal;
    for (float& v : vector) v = normal(middle);
    for (float& v : vector) v += normal(around);
    normalise(vector);
    return vector;
  }
};

// Clusters of `members` vectors, each with the product `reach` with its centre and otherwise in any direction.
struct Alike {
  size_t clusters, members;
  double reach;
};

// Clusters of unlike size or spread, not found but given, and queries in any direction.
class UnlikeClusters : public IndexedVectors {
 public:
  explicit UnlikeClusters(const std::vector<Alike>& kinds) {
    std::map<ContentHash, uint32_t> cluster_of;
    Clusters clusters;
    for (const Alike& kind : kinds) {
      for (size_t c = 0; c < kind.clusters; ++c) {
        const std::vector<float> centre = direction();
        for (size_t m = 0; m < kind.members; ++m) {
          const ContentHash hash = content_hash(number(cluster_of.size()));
          cluster_of[hash] = static_cast<uint32_t>(clusters.reaches.size());
          put(hash, member(centre, kind.reach));
        }
        clusters.centres.insert(clusters.centres.end(), centre.begin(), centre.end());
        clusters.reaches.push_back(static_cast<float>(kind.reach));
      }
    }
    for (const auto& [hash, cluster] : cluster_of) clusters.cluster_of.push_back(cluster);
    write();
    write_clusters(path(), IndexFile(path()), clusters);
  }
  // The share of queries whose nearest picture is in the first clusters.
  double nearest_found(size_t probes) {
    constexpr int kQueries = 200;
    int found = 0;
    for (int q = 0; q < kQueries; ++q) {
      const std::vector<float> query = direction();
      found += approximately(query, 1, probes)[0].picture.path == exactly(query, 1)[0].picture.path;
    }
    return static_cast<double>(found) / kQueries;
  }

 private:
  std::vector<float> direction() {
    std::vector<float> vector(dimension());
    for (float& v : vector) v = normal_(chance_);
    normalise(vector);
    return vector;
  }
  std::vector<float> member(const std::vector<float>& centre, double reach) {
    std::vector<float> vector = direction();
    const float along = dot(vector, centre);
    for (size_t i = 0; i < vector.size(); ++i) vector[i] -= along * centre[i];
    normalise(vector);
    const auto aside = static_cast<float>(std::sqrt(1 - reach * reach));
    for (size_t i = 0; i < vector.size(); ++i) vector[i] = static_cast<float>(reach) * centre[i] + aside * vector[i];
    return vector;
  }

  std::mt19937 chance_{1};
  std::normal_distribution<float> normal_;
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// How many of the pictures that exact search finds are found, with their scores to the last bit.
double recall(Collection& collection, size_t probes) {
  size_t hits = 0, all = 0;
  for (unsigned q = 0; q < 40; ++q) {
    const std::vector<float> query = collection.near(q * 3 % kGroups, 77777 + q);
    std::map<std::string, float> found;
    for (const FoundMatch& match : collection.approximately(query, 5, probes)) found[match.picture.path] = match.score;
    for (const FoundMatch& match : collection.exactly(query, 5)) {
      ++all;
      if (!found.contains(match.picture.path)) continue;
      ++hits;
      REQUIRE(found[match.picture.path] == match.score);
    }
  }
  return static_cast<double>(hits) / static_cast<double>(all);
}

}  // namespace

TEST_CASE("approximate search finds nearly what exact search finds") {
  Collection collection;
  const ClusterReport report = collection.update();
  CHECK(report.trained);
  CHECK(report.assigned == kGroups * kInGroup);
  CHECK(report.clusters == 155);
  const double few = recall(collection, 1), some = recall(collection, 16);
  INFO(few << " " << some);
  CHECK(few < 0.999);  // else this tests nothing
  CHECK(few > 0.2);
  CHECK(some > 0.9);
}

TEST_CASE("approximate search that looks into every cluster is exact search") {
  Collection collection;
  collection.update();
  const std::vector<float> query = collection.near(5, 1);
  for (const size_t top : {size_t{1}, size_t{7}, size_t{300}, size_t{100000}}) {
    const auto exact = collection.exactly(query, top), found = collection.approximately(query, top, 1 << 30);
    REQUIRE(found.size() == exact.size());
    for (size_t i = 0; i < exact.size(); ++i) {
      REQUIRE(found[i].picture.path == exact[i].picture.path);
      REQUIRE(found[i].score == exact[i].score);
    }
  }
  // More are asked for than the nearest clusters hold.
  CHECK(collection.approximately(query, 2000, 1).size() == 2000);
  CHECK(collection.approximately(query, 100000, 1).size() == collection.exactly(query, 100000).size());
}

TEST_CASE("every vector is in the cluster of the nearest centre, which knows its mean") {
  Collection collection;
  collection.update();
  const IndexFile index(collection.path());
  const ClusterFile clusters(collection.path());
  const size_t dimension = collection.dimension();
  const auto product = [&](uint32_t vector, size_t cluster) {
    return dot(index.vector(vector), clusters.centres().subspan(cluster * dimension, dimension));
  };
  size_t members = 0;
  for (size_t c = 0; c < clusters.clusters(); ++c) {
    double sum = 0;
    for (const uint32_t vector : clusters.members(c)) {
      sum += product(vector, c);
      for (size_t other = 0; other < clusters.clusters(); ++other) {
        REQUIRE(product(vector, other) <= product(vector, c) + 1e-6f);
      }
    }
    members += clusters.members(c).size();
    const double mean = clusters.members(c).empty() ? 0 : sum / static_cast<double>(clusters.members(c).size());
    CHECK(static_cast<double>(clusters.reaches()[c]) == Approx(mean).margin(1e-6));
  }
  CHECK(members == index.content().hashes.size());
}

// Other orders find less, in a simulation: that of products with the centres 0.25 and 0.62, that of products with the
// means 0.25 and 0.58, and this one without the size 0.25 of the first.
TEST_CASE("clusters are looked into in the order of what their best will probably score") {
  const std::vector<Alike> sizes = {{6, 2000, 0.4}, {60, 20, 0.4}}, spreads = {{4, 100, 0.3}, {60, 100, 0.95}};
  CHECK(UnlikeClusters(sizes).nearest_found(4) > 0.75);
  CHECK(UnlikeClusters(spreads).nearest_found(4) > 0.9);
}

TEST_CASE("clusters follow the index") {
  Collection collection;
  collection.update();
  const std::string first = contents(clusters_path(collection.path()));
  CHECK(collection.update().assigned == 0);
  std::filesystem::remove(clusters_path(collection.path()));
  collection.update();
  CHECK(contents(clusters_path(collection.path())) == first);

  const IndexFile before(collection.path());
  for (size_t i = 0; i < 25; ++i) collection.add(kGroups * kInGroup + i);
  collection.write();
  const auto query = collection.near(5, 1);
  CHECK_THROWS_WITH(collection.approximately(query, 1, 8), Catch::Contains("another state"));
  ClusterReport report = collection.update(&before);
  CHECK(!report.trained);
  CHECK(report.assigned == 25);
  CHECK(collection.approximately(query, 1, 8).size() == 1);
  const std::string followed = contents(clusters_path(collection.path()));

  // From any other state all are put into clusters again, with the same result.
  std::ofstream(clusters_path(collection.path()), std::ios::binary) << first;
  report = collection.update();
  CHECK(!report.trained);
  CHECK(report.assigned == kGroups * kInGroup + 25);
  CHECK(contents(clusters_path(collection.path())) == followed);

  // More than twice as many: the centres are no longer theirs.
  for (size_t i = 0; i < kGroups * kInGroup; ++i) collection.add(2 * kGroups * kInGroup + i);
  collection.write();
  CHECK(collection.update().trained);
  CHECK(recall(collection, 16) > 0.9);

  // Another state of the same size.
  collection.put(content_hash(number(0)), query);
  collection.write();
  CHECK_THROWS_WITH(collection.approximately(query, 1, 8), Catch::Contains("another state"));
}

TEST_CASE("a damaged file of clusters is an error, and is made anew") {
  Collection collection;
  collection.update();
  const std::string path = clusters_path(collection.path()), good = contents(path);
  const auto query = collection.near(5, 1);
  std::mt19937 chance(1);
  std::vector<std::string> cases;
  for (const size_t size : {size_t{0}, size_t{7}, size_t{12}, size_t{100}, good.size() / 2, good.size() - 1}) {
    cases.push_back(good.substr(0, size));
  }
  cases.push_back(good + '\0');
  for (int i = 0; i < 30; ++i) {
    cases.push_back(good);
    cases.back()[chance() % good.size()] ^= static_cast<char>(1 << chance() % 8);
  }
  // Sound by its checksum: a header that promises too much, and numbers that lead out of the index.
  for (const size_t at : std::vector<size_t>{8, 12, 16, 24, 32, 80, 128, 136, 4000}) {
    std::string made = good.substr(0, good.size() - sizeof(ContentHash));
    for (size_t i = 0; i < 8; ++i) made[at + i] = '\xff';
    const ContentHash hash = content_hash(made);
    made.append(reinterpret_cast<const char*>(hash.data()), hash.size());
    cases.push_back(made);
  }
  for (const std::string& bytes : cases) {
    std::ofstream(path, std::ios::binary) << bytes;
    CHECK_THROWS_WITH(collection.approximately(query, 1, 8), Catch::Contains(path));
  }
  collection.update();
  CHECK(contents(path) == good);
}

TEST_CASE("a damaged index never changes an approximate answer in silence") {
  Collection collection;
  collection.update();
  const std::string path = collection.path(), good = contents(path);
  const auto query = collection.near(5, 1);
  const auto expected = collection.approximately(query, 20, 8);
  std::mt19937 chance(1);
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    std::string bytes = good;
    bytes[chance() % (i < 20 ? 200 : good.size())] ^= static_cast<char>(1 << chance() % 8);
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      const auto found = collection.approximately(query, 20, 8);
      for (size_t m = 0; m < expected.size(); ++m) {
        REQUIRE(found[m].picture.path == expected[m].picture.path);
        REQUIRE(found[m].score == expected[m].score);
      }
    } catch (const Failure& error) {
      ++refused;
      CHECK(std::string(error.what()).starts_with(path));
    }
  }
  CHECK(refused >= 20);
  std::ofstream(path, std::ios::binary) << good.substr(0, good.size() / 2);
  CHECK_THROWS_WITH(collection.approximately(query, 1, 8), Catch::Contains("another state"));
}
