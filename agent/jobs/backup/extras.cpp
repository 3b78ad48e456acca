#include "agent/jobs/backup/extras.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/artifact/tar_writer.h"
#include "agent/odoo/config_set.h"
#include "agent/postgres/dump.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"

namespace backstay::backup {
namespace {

Result<ManifestArtifact> store_config(const Prepared& prepared, Shipping& shipping,
                                      const std::vector<odoo::ConfigFile>& files) {
    const ArtifactPlan plan{std::string(artifact::kConfig),
                            layout::artifact_file(artifact::kConfig, false, prepared.key.has_value()), 0};
    return shipping.store(plan, [&](ArtifactStream& stream) -> Result<> {
        const auto tar = TRY(TarWriter::open(stream));
        const std::int64_t now = prepared.host.clock.now_ms() / 1000;
        for (const odoo::ConfigFile& file : files) {
            TRY(tar->add({file.name, file.content.size(), now, 0600}, as_bytes(file.content)));
        }
        return tar->finish();
    });
}

// Role passwords only inside an encrypted artifact, and only a superuser can read them.
Result<std::string> read_globals(const Prepared& prepared, std::stop_token stop) {
    if (prepared.key) {
        auto with = postgres::dump_globals(prepared.pg_dumpall, prepared.cluster, true, stop);
        if (with || with.error().code() == Errc::cancelled) return with;
    }
    return postgres::dump_globals(prepared.pg_dumpall, prepared.cluster, false, stop);
}

}  // namespace

Testimony testify(const ExtrasStored& stored) {
    Testimony testimony;
    testimony.summary = fmt::format("{}; roles and tablespaces{}", fmt::join(stored.files, ", "),
                                    stored.with_secrets ? "" : ", secrets left out");
    testimony.facts = {{"files", fmt::format("{}", fmt::join(stored.files, " "))},
                       {"secrets", stored.with_secrets ? "kept" : "removed"}};
    testimony.proofs = {"artifact:config", "artifact:globals"};
    return testimony;
}

Result<ExtrasStored> store_extras(const Prepared& prepared, Shipping& shipping, std::stop_token stop) {
    ExtrasStored out;
    out.with_secrets = prepared.key.has_value();
    const std::vector<odoo::ConfigFile> files =
        TRY(odoo::collect_config(prepared.location, prepared.configured, prepared.instance, out.with_secrets));
    for (const odoo::ConfigFile& file : files) out.files.push_back(file.name);
    out.config = TRY(store_config(prepared, shipping, files));

    const std::string globals =
        TRY(read_globals(prepared, stop).context("dump roles and tablespaces").reason(reason::kDbDumpFailed));
    const ArtifactPlan plan{std::string(artifact::kGlobals),
                            layout::artifact_file(artifact::kGlobals, false, prepared.key.has_value()), globals.size()};
    out.globals = TRY(shipping.store(plan, [&](ArtifactStream& stream) { return stream.write(as_bytes(globals)); }));
    return out;
}

}  // namespace backstay::backup
