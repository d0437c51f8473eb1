// The library and the machine it runs on.
#include "api/boundary.h"
#include "api/environment.h"
#include "core/cpu_info.h"
#include "kernels/select.h"

using namespace tw;

const char* tuwen_version(void) { return TUWEN_VERSION_STRING; }

tuwen_status tuwen_get_system_info(tuwen_system_info* info) {
  return guarded([&] {
    const CpuInfo cpu = query_cpu();
    tuwen_system_info value = {};
    value.cpus = cpu.cores;
    set_field(value.cpu, cpu.brand);
    set_field(value.features, cpu.flags());
    set_field(value.isa, select_table(cpu, wanted_isa()).name);
#ifdef __clang__
    set_field(value.compiler, "clang " __clang_version__);
#else
    set_field(value.compiler, "gcc " __VERSION__);
#endif
    set_field(value.decoders, TUWEN_DECODERS);
    write_info(info, value, "info");
  });
}
