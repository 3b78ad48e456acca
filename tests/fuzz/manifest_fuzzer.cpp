// Any octets as a manifest: refused with a reason, or read into something that a restore may rely on.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "common/domain/manifest.h"
#include "common/domain/reasons.h"

namespace backstay {
namespace {

void demand(bool holds) {
    if (!holds) std::abort();
}

void try_input(std::string_view text) {
    const auto manifest = read_manifest(text);
    if (!manifest) {
        demand(manifest.error().reason() == reason::kStructureInvalid);
        return;
    }
    demand(manifest->format == 1);
    std::set<std::string> names;
    for (const ManifestArtifact& artifact : manifest->artifacts) {
        demand(names.insert(artifact.name).second);
        demand(artifact.path.find('/') == std::string::npos && !artifact.path.starts_with('.'));
        demand(artifact.path != "manifest.json" && artifact.sha256.size() == 64);
        demand(find_artifact(*manifest, artifact.name) == &artifact);
    }
    // What was read is written so that it reads the same again.
    const std::string written = write_manifest(*manifest);
    const auto again = read_manifest(written);
    demand(again.has_value() && write_manifest(*again) == written);
}

}  // namespace
}  // namespace backstay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    backstay::try_input({reinterpret_cast<const char*>(data), size});
    return 0;
}
