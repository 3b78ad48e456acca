// The new filestore, made in a folder beside the one in use.
#pragma once

#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/artifact/tar_reader.h"
#include "agent/jobs/restore/target.h"
#include "common/bytes.h"
#include "common/domain/manifest.h"
#include "common/pq/connection.h"

namespace backstay::restore {

struct FilesMade {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;  // content that its name denies, as the manifest said of them
    std::uint64_t kept = 0;     // taken over from the filestore in use
};

struct FilestoreMaking {
    std::string folder;  // absent, or left by an earlier try: emptied first
    bool add = false;    // to what begin_filestore and earlier archives left there; what is there already stays,
                         // unless it is named in `damaged`
    // With `add`: names whose content is not theirs so far. This archive's are added, those that it has sound go.
    std::set<std::string>* damaged = nullptr;
    FileOwner owner;
    std::uint64_t unnamed_damaged = 0;                  // so many more, beyond what the manifest has room to name
    std::set<std::string> known_damaged;                // store_fname, from the manifest
    std::function<void(std::uint64_t bytes)> on_bytes;  // as files are written
    // Of a differential's archive: gets the list of files that leads it (layout::kFileListMember).
    std::function<Result<>(Source& list)> on_list;
    // Asked for each file in the archive's order; those that are not wanted are left out. Empty: all are.
    std::function<Result<bool>(const std::string& name)> wanted;
    std::stop_token stop;
};

// Lets through, further, what a manifest says was missing or damaged when the backup was made.
void admit_damage(FilestoreMaking& making, const ManifestFilestore& said);

// Writes every file of the archive, its SHA-1 checked against its name. A name that leads elsewhere, or content that
// its name denies and the manifest does not, ends it: filestore_inconsistent.
Result<FilesMade> make_filestore(Source& archive, const FilestoreMaking& making);
// The same of another kind of archive: `read` gives every member to the function that it gets.
using ReadMembers = std::function<Result<>(const OnTarMember& take)>;
Result<FilesMade> make_filestore(const ReadMembers& read, const FilestoreMaking& making);

// The folder, empty.
Result<> begin_filestore(const FilestoreMaking& making);

// Links the files that rows of ir_attachment name and `folder` lacks out of a filestore in use, when their content is
// what their name says. Answers how many.
Result<std::uint64_t> take_named_files(pq::Connection& connection, const std::string& in_use,
                                       const std::string& folder);

// Links the files of the filestore in use that the backup lacks, so that attachments newer than the backup keep theirs.
// Answers how many.
Result<std::uint64_t> keep_newer_files(const std::string& in_use, const std::string& folder);

// Takes those of the damaged names out of `folder` that the filestore in use has sound, for take_named_files to
// replace.
Result<> drop_damaged_files(const std::string& in_use, const std::string& folder, std::set<std::string>& damaged);

struct Reconciled {
    std::uint64_t names = 0;
    std::uint64_t external = 0;
    std::uint64_t missing = 0;
    std::vector<std::string> examples;  // of missing names, at most 20
};
// Does every file that a row of ir_attachment names lie in the folder? nullopt: no Odoo lives in this database.
Result<std::optional<Reconciled>> reconcile_filestore(pq::Connection& connection, const std::string& folder);

}  // namespace backstay::restore
