// Where the time of an encode call went.
#include "core/profile.h"

#include "api/boundary.h"
#include "api/handles.h"

using namespace tw;

tuwen_status tuwen_profile_create(tuwen_profile** profile) {
  return guarded([&] {
    not_null(profile, "profile");
    *profile = new tuwen_profile;
  });
}

void tuwen_profile_free(tuwen_profile* profile) { delete profile; }

tuwen_status tuwen_profile_get_info(const tuwen_profile* profile, tuwen_profile_info* info) {
  return guarded([&] {
    const Profile::Whole whole = not_null(profile, "profile").profile.whole();
    tuwen_profile_info value = {};
    value.threads = whole.members;
    value.wall_ms = whole.wall;
    value.start_ms = whole.start;
    value.finish_ms = whole.finish;
    write_info(info, value, "info");
  });
}

size_t tuwen_profile_count(const tuwen_profile* profile) {
  return profile == nullptr ? 0 : static_cast<size_t>(profile->profile.count());
}

tuwen_status tuwen_profile_at(const tuwen_profile* profile, size_t index, tuwen_profiled* operation) {
  return guarded([&] {
    const Profile& p = not_null(profile, "profile").profile;
    const auto count = static_cast<size_t>(p.count());
    if (index >= count) throw_argument("index", "less than " + std::to_string(count), std::to_string(index));
    const ProfiledOp op = p.at(static_cast<int64_t>(index));
    tuwen_profiled value = {};
    value.layer = static_cast<int32_t>(op.place.layer);
    value.tower = op.place.tower;
    value.operation = op.place.op;
    value.type = op.cost.type == DType::i8 ? "int8" : op.cost.type == DType::bf16 ? "bf16" : "f32";
    value.rows = op.cost.rows;
    value.columns = op.cost.columns;
    value.k = op.cost.k;
    value.flops = op.cost.flops;
    value.weight_bytes = op.cost.weight_bytes;
    value.activation_bytes = op.cost.activation_bytes;
    value.between_ms = op.between;
    value.work_ms = op.work;
    value.imbalance_ms = op.imbalance;
    value.barrier_ms = op.barrier;
    value.longest_ms = op.longest;
    write_info(operation, value, "operation");
  });
}
