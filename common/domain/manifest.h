// manifest.json: what a backup is. Written last, so that its presence is the commit marker: a folder without one is an
// incomplete upload. Holds Odoo's own manifest keys beside ours (contract/semantics.md 3.2).
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"

namespace backstay {

struct ManifestAgent {
    std::string id;
    std::string version;
};
BOOST_DESCRIBE_STRUCT(ManifestAgent, (), (id, version))

struct ManifestExtension {
    std::string name;
    std::string version;
};
BOOST_DESCRIBE_STRUCT(ManifestExtension, (), (name, version))

struct ManifestPostgres {
    std::string server_version;  // "15.18"
    std::int32_t server_version_num = 0;
    std::string system_id;
    std::int64_t timeline = 0;
    std::string start_lsn;
    std::string end_lsn;
    std::string encoding;
    std::string collate;
    std::string ctype;
    std::string owner;  // the database's owner role
    std::vector<ManifestExtension> extensions;
    bool unaccent_immutable = false;  // Odoo's setup; the dump does not carry it (odoo-facts)
    std::uint64_t size_bytes = 0;
};
BOOST_DESCRIBE_STRUCT(ManifestPostgres, (),
                      (server_version, server_version_num, system_id, timeline, start_lsn, end_lsn, encoding, collate,
                       ctype, owner, extensions, unaccent_immutable, size_bytes))

// What a restore must find again; counted in the dump's own snapshot.
struct ManifestContents {
    std::int64_t tables = 0;
    std::int64_t indexes = 0;
    std::int64_t constraints = 0;
    std::int64_t sequences = 0;
    std::map<std::string, std::int64_t> row_counts;  // "schema.table" → rows; exact
    std::vector<std::string> modules_in_transition;  // ir_module_module.state LIKE 'to %'
};
BOOST_DESCRIBE_STRUCT(ManifestContents, (),
                      (tables, indexes, constraints, sequences, row_counts, modules_in_transition))

struct ManifestFileProblem {
    std::string store_fname;
    std::string problem;  // "missing", "damaged", "unreadable", "external"
    std::optional<std::int64_t> attachment_id;
    std::string res_model;
    std::optional<std::int64_t> res_id;
    std::string name;
};
BOOST_DESCRIBE_STRUCT(ManifestFileProblem, (), (store_fname, problem, attachment_id, res_model, res_id, name))

struct ManifestFilestore {
    std::uint64_t file_count = 0;
    std::uint64_t size_bytes = 0;
    std::string mode = "full";  // full, differential
    std::optional<std::string> base_snapshot_id;
    std::vector<ManifestFileProblem> missing_files;  // at most 1,000; missing_count has the whole number
    std::uint64_t missing_count = 0;
};
BOOST_DESCRIBE_STRUCT(ManifestFilestore, (),
                      (file_count, size_bytes, mode, base_snapshot_id, missing_files, missing_count))

struct ManifestArtifact {
    std::string name;
    std::string path;  // file name inside the backup's folder
    std::uint64_t bytes = 0;
    std::uint64_t uncompressed_bytes = 0;
    std::string sha256;  // of the stored bytes, lower-case hex
    std::string codec = "zstd";
    std::optional<std::string> encryption;  // "secretstream-xchacha20poly1305:<key id>"
};
BOOST_DESCRIBE_STRUCT(ManifestArtifact, (), (name, path, bytes, uncompressed_bytes, sha256, codec, encryption))

// Of a base backup: what a recovery must know beside `postgres`, whose positions are those of the WAL that it needs.
struct ManifestBase {
    std::string cluster;  // its name on the host
    std::string archive;  // the cluster's folder in the destination
    std::uint64_t segment_bytes = 0;
    std::string superuser;  // the role that initdb made
    Timestamp started_at;
    Timestamp ended_at;  // by the server's clock; no earlier than any commit before postgres.end_lsn
    std::vector<std::string> databases;
};
BOOST_DESCRIBE_STRUCT(ManifestBase, (), (cluster, archive, segment_bytes, superuser, started_at, ended_at, databases))

// Odoo's own manifest.json, under its own names.
struct OdooManifest {
    std::string odoo_dump = "1";
    std::string db_name;
    std::string version;
    std::vector<std::string> version_info;  // as text: Odoo mixes numbers and strings
    std::string major_version;
    std::string pg_version;
    std::map<std::string, std::string> modules;
};
BOOST_DESCRIBE_STRUCT(OdooManifest, (), (odoo_dump, db_name, version, version_info, major_version, pg_version, modules))

struct Manifest {
    std::int32_t format = 1;
    std::string backup_id;
    std::string kind = "backup";  // backup, snapshot
    std::string scope;            // db, full, base
    std::string trigger;
    std::string organization_id;
    std::string project_id;
    std::string environment_id;
    std::string environment_name;
    std::string environment_type;
    bool is_neutralized = false;
    std::optional<std::string> database_uuid;
    bool is_odoo = true;
    std::string dump_format;  // "custom" (database.dump.zst) or "directory" (database.tar.zst)
    Timestamp started_at;
    Timestamp completed_at;
    ManifestAgent agent;
    ManifestPostgres postgres;
    ManifestContents contents;
    std::optional<ManifestFilestore> filestore;  // null for scope db
    std::optional<ManifestBase> base;            // scope base only
    std::vector<ManifestArtifact> artifacts;
    std::map<std::string, std::string> tools;
    std::optional<std::string> label;
    std::optional<OdooManifest> odoo;  // flattened into the top level of the file
};
BOOST_DESCRIBE_STRUCT(Manifest, (),
                      (format, backup_id, kind, scope, trigger, organization_id, project_id, environment_id,
                       environment_name, environment_type, is_neutralized, database_uuid, is_odoo, dump_format,
                       started_at, completed_at, agent, postgres, contents, filestore, base, artifacts, tools, label))

// The file's text, ending in a newline.
std::string write_manifest(const Manifest& manifest);

// Reads what any version wrote: unknown keys are ignored, a newer `format` is refused, and so is whatever would lead a
// restore astray: an artifact path with a slash, a checksum that is none, a doubled artifact. At most 16 MiB.
Result<Manifest> read_manifest(std::string_view text);

const ManifestArtifact* find_artifact(const Manifest& manifest, std::string_view name);

}  // namespace backstay
