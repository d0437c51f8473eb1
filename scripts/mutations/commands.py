"""Of the command line."""

from mutations.mutation import Mutation

READ_AHEAD = "cli/read_ahead.h"
SEARCH = "cli/search_index.cpp"
CLUSTERED = "cli/clustered_index.cpp"
CLUSTER_BUILD = "cli/cluster_build.cpp"

CLI = [
    Mutation(
        "read-ahead-order", READ_AHEAD, "an item that is ready passes one that is not",
        "if (source_.order == Order::kept && index != first_ + ready) break;",
        "if (source_.order == Order::kept && index < first_ + ready) break;", tests=("test_cli",)),
    Mutation(
        "read-ahead-bound", READ_AHEAD, "bytes that were taken still count as waiting",
        "waiting_bytes_ -= next->second.bytes;",
        "waiting_bytes_ -= next->second.bytes / 2;", tests=("test_cli",)),
    Mutation(
        "read-ahead-room", READ_AHEAD, "what waits is not bounded by its bytes",
        "waiting_bytes_ < source_.bytes_ahead && ",
        "", tests=("test_cli",)),
    Mutation(
        "read-ahead-error", READ_AHEAD, "an error is thrown before what comes first",
        "if (taken.empty()) std::rethrow_exception(next->second.error);",
        "std::rethrow_exception(next->second.error);", tests=("test_cli",)),
    # Index and search.
    Mutation(
        "index-hash-ignored", "cli/hashed_file.cpp", "the hash at the end of a file is not compared",
        "if (content_hash(content) != expected) {",
        "if (content.empty()) {", tests=("cli-search",)),
    Mutation(
        "index-moved-file", "cli/picture_reader.cpp", "pictures are not known by their content",
        "if (!picture.error.empty() || !claim(picture.seen.hash)) return picture;",
        "if (!picture.error.empty()) return picture;", tests=("cli-search",)),
    Mutation(
        "index-unsettled", "cli/picture_reader.cpp", "a file that has just been changed counts as settled",
        "if (now() - seen.modified < kSettledAfter) seen.modified = -1;",
        "", tests=("cli-search",)),
    Mutation(
        "index-journal-vectors", "cli/index_build.cpp", "vectors of an unfinished run are dropped",
        "        keep_vector(hash, vector);\n        changed_ = true;",
        "        changed_ = true;", tests=("cli-search",)),
    Mutation(
        "index-journal-hash", "cli/index_journal.cpp", "a damaged record of the journal is believed",
        " || content_hash(payload) != hash) return whole;",
        ") return whole;", tests=("cli-search",)),
    Mutation(
        "index-another-model", "cli/search.cpp", "vectors of different models are compared",
        "if (found == origin.model) return;",
        "if (found != ContentHash{}) return;", tests=("cli-search",)),
    Mutation(
        "search-ties", "cli/nearest.cpp", "equal scores come last first",
        "values[a] > values[b] : a < b;",
        "values[a] > values[b] : a > b;", tests=("cli-search", "test_cli")),
    Mutation(
        "search-ties-approximate", SEARCH, "equal scores come last first in approximate search",
        "a.place < b.place;",
        "a.place > b.place;", tests=("test_cli",)),
    Mutation(
        "search-probes", SEARCH, "one cluster is looked into, whatever was asked for",
        "looked_into++ >= probes",
        "looked_into++ >= std::min(probes, size_t{1})", tests=("test_cli",)),
    Mutation(
        "search-too-few", SEARCH, "clusters that hold fewer than were asked for suffice",
        " && candidates.size() / kCandidates >= top) break;",
        ") break;", tests=("test_cli",)),
    Mutation(
        "clusters-order", SEARCH, "clusters come in the order of products with their centres",
        "products_with_centres[c] * reach + std::sqrt(variance * 2 * std::log(members))",
        "static_cast<double>(products_with_centres[c]) + 0 * variance", tests=("test_cli",)),
    Mutation(
        "clusters-size", SEARCH, "how many vectors a cluster has does not count",
        "2 * std::log(members)",
        "2 * std::log(100.0)", tests=("test_cli",)),
    Mutation(
        "clusters-spread", SEARCH, "how far vectors are from their centre does not count",
        "std::max(0.0, 1 - reach * reach)",
        "1.0", tests=("test_cli",)),
    Mutation(
        "clusters-reach", CLUSTER_BUILD, "the mean of a cluster is taken for its centre",
        "static_cast<float>(sums[c] / members[c])",
        "1.0f", tests=("test_cli",)),
    Mutation(
        "clusters-kept", CLUSTER_BUILD, "a new vector gets its neighbour's cluster of the run before",
        "if (o < old.size() && old[o] == hashes[i]) known[i]",
        "if (o < old.size()) known[i]", tests=("test_cli",)),
    Mutation(
        "clusters-worn-out", CLUSTER_BUILD, "centres are kept however many vectors come",
        "vectors <= 2 * file.trained_on() && ",
        "", tests=("test_cli",)),
    Mutation(
        "clusters-binding-written", "cli/cluster_file.cpp", "clusters are bound to the model, not to the state of the index",
        "append_number(head, index.checksum());",
        "append_number(head, content.origin.model);", tests=("test_cli",)),
    Mutation(
        "clusters-binding-read", CLUSTERED, "clusters of another index of the same size are used",
        "bytes.size() != clusters_.index_bytes() || trailing_hash(kIndexKind, path, bytes) != clusters_.index_checksum()",
        "bytes.size() != clusters_.index_bytes()", tests=("test_cli",)),
    Mutation(
        "clusters-last-page-written", "cli/cluster_file.cpp", "the last page of the index has no hash",
        "for (size_t at = 0; at < index.bytes().size(); at += kIndexPage) {",
        "for (size_t at = 0; at + kIndexPage < index.bytes().size(); at += kIndexPage) {", tests=("test_cli",)),
    Mutation(
        "clusters-last-page-read", CLUSTERED, "the last page of what is read is not checked",
        "page * kIndexPage < end; ++page)",
        "(page + 1) * kIndexPage < end; ++page)", tests=("test_cli",)),
]
