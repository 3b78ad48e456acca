#include "agent/jobs/backup/leftovers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/describe.hpp>
#include <filesystem>

#include "agent/jobs/destinations.h"
#include "common/json/json.h"

namespace backstay::backup {
namespace {

constexpr std::string_view kNote = "backup.unfinished";
constexpr std::string_view kCopyNote = "backup.copying ";  // and destination and folder: one job may owe several
constexpr TimeMs kForgottenMs = 30LL * 24 * 3600 * 1000;

// What a crash, or the end of a job, leaves to be swept.
struct Unfinished {
    std::string folder;
    std::string scratch;
    std::vector<std::string> destinations;  // ids
    std::vector<DestinationOrder> local;    // of those the local ones, whose configurations hold no secret
    bool unwanted = false;                  // the backup failed there: what looks complete goes too
    Timestamp made_at;
};
BOOST_DESCRIBE_STRUCT(Unfinished, (), (folder, scratch, destinations, local, unwanted, made_at))

Unfinished unfinished(const Leftovers& leftovers) {
    Unfinished note;
    note.folder = leftovers.folder;
    note.scratch = leftovers.scratch;
    note.made_at = {leftovers.now};
    return note;
}

void add_destination(Unfinished& note, const DestinationOrder& destination) {
    note.destinations.push_back(destination.id);
    if (destination.type == "local") note.local.push_back(destination);
}

std::string text_of(const Unfinished& note) { return json::serialize(json::encode(note)); }

Result<Unfinished> read_note(const std::string& text) {
    const json::Value value = TRY(json::parse(text).context("note of an unfinished backup"));
    return json::decode<Unfinished>(value, json::kLenient);
}

// As this host can open it by itself; nullptr: only an order would tell.
const DestinationOrder* known_destination(const Unfinished& note, const std::string& id, const JobHost& host) {
    for (const std::vector<DestinationOrder>* known : {&note.local, &host.config.destinations}) {
        for (const DestinationOrder& destination : *known) {
            if (destination.id == id) return &destination;
        }
    }
    return nullptr;
}

// What the crash cut off is removed; what was committed stays, unless it is known to have failed. False: it stays.
Result<bool> sweep_place(const DestinationOrder& order, const Unfinished& note, const JobHost& host, Swept& swept) {
    const std::unique_ptr<Storage> storage = TRY(open_destination(order, host, {}, kBriefPatience));
    // On this host nobody else writes into a folder of ours; elsewhere only what is old enough is surely dead.
    const std::int64_t age = order.type == "local" ? 0 : kDeadUploadMs;
    TRY(storage->sweep_leftovers(host.clock.now_ms() - age + (age == 0 ? 1 : 0)));
    const auto manifest = storage->stat(note.folder + "/manifest.json");
    if (!manifest && manifest.error().code() != Errc::not_found) return manifest.error();
    // A manifest that is newer than the failure is that of a copy made since.
    if (manifest && (!note.unwanted || manifest->modified_at > note.made_at.ms)) {
        swept.done.push_back(fmt::format("{} is complete in {}", note.folder, order.name));
        return false;
    }
    const std::uint64_t removed = TRY(remove_folder_objects(*storage, note.folder));
    swept.done.push_back(fmt::format("removed {} unfinished objects of {} from {}", removed, note.folder, order.name));
    return true;
}

void sweep_scratch(Unfinished& note, Swept& swept) {
    if (note.scratch.find("/backup-") != std::string::npos && ::access(note.scratch.c_str(), F_OK) == 0) {
        std::error_code failure;
        std::filesystem::remove_all(note.scratch, failure);
        if (failure) return;
        swept.done.push_back("removed the scratch folder " + note.scratch);
    }
    note.scratch.clear();
}

// `is_copy`: what proves complete is a copy that nobody knows of yet.
void sweep_places(Unfinished& note, bool is_copy, const JobHost& host, Swept& swept) {
    std::vector<std::string> left;
    for (const std::string& id : note.destinations) {
        const DestinationOrder* known = known_destination(note, id, host);
        const Result<bool> removed = known == nullptr
                                         ? Error(Errc::unavailable, "its configuration comes with the next order to it")
                                         : sweep_place(*known, note, host, swept);
        if (!removed) {
            swept.done.push_back(fmt::format("leftovers in {} stay: {}", id, removed.error().message()));
            left.push_back(id);
        } else if (is_copy && !*removed) {
            swept.copies.push_back({note.folder, id});
        }
    }
    note.destinations = std::move(left);
}

bool is_note(const std::string& key) { return key == kNote || key.starts_with(kCopyNote); }

std::string copy_note(const std::string& folder, const DestinationOrder& destination) {
    return fmt::format("{}{} {}", kCopyNote, destination.id, folder);
}

Result<> sweep_one(const std::string& key, const std::string& text, const JobHost& host, const NoteWriter& writer,
                   Swept& swept) {
    Unfinished note = TRY(read_note(text));
    sweep_scratch(note, swept);
    if (note.folder.starts_with("v1/")) sweep_places(note, key != kNote, host, swept);
    const bool forgotten = host.clock.now_ms() - note.made_at.ms > kForgottenMs;
    if (forgotten && !note.destinations.empty()) {
        swept.done.push_back(fmt::format("leftovers in {} destinations are given up after 30 days: {}",
                                         note.destinations.size(), note.folder));
    }
    const bool clean = forgotten || (note.destinations.empty() && note.scratch.empty());
    swept.clean = swept.clean && clean;
    return writer(key, clean ? "" : text_of(note));
}

}  // namespace

Leftovers leftovers_of(const Prepared& prepared) {
    return {prepared.folder, scratch_of(prepared), prepared.order.destinations, prepared.host.clock.now_ms()};
}

Result<> leave_notes(const Leftovers& leftovers, Steps& steps) {
    Unfinished note = unfinished(leftovers);
    for (const DestinationOrder& destination : leftovers.destinations) add_destination(note, destination);
    return steps.note(std::string(kNote), text_of(note));
}

Result<> settle_notes(const Leftovers& leftovers, const std::set<std::string>& left_behind, Steps& steps) {
    if (left_behind.empty()) return steps.note(std::string(kNote), "");
    Unfinished note = unfinished(leftovers);
    note.unwanted = true;
    for (const DestinationOrder& destination : leftovers.destinations) {
        if (left_behind.contains(destination.id)) add_destination(note, destination);
    }
    return steps.note(std::string(kNote), text_of(note));
}

Result<> note_copy(const std::string& folder, const DestinationOrder& destination, TimeMs now, Steps& steps) {
    Unfinished note;
    note.folder = folder;
    note.made_at = {now};
    add_destination(note, destination);
    return steps.note(copy_note(folder, destination), text_of(note));
}

Result<> settle_copy(const std::string& folder, const DestinationOrder& destination, Steps& steps) {
    return steps.note(copy_note(folder, destination), "");
}

bool has_leftovers_below(const Facts& notes, const std::string& folder) {
    return std::any_of(notes.begin(), notes.end(), [&](const auto& item) {
        if (!is_note(item.first)) return false;
        const auto note = read_note(item.second);
        return note && note->folder.starts_with(folder + "/");
    });
}

Result<> forget(const Facts& notes, const std::vector<DestinationOrder>& whole, const NoteWriter& writer) {
    const auto found = notes.find(std::string(kNote));
    if (found == notes.end()) return {};
    Unfinished note = TRY(read_note(found->second));
    for (const DestinationOrder& destination : whole) std::erase(note.destinations, destination.id);
    const bool done = note.destinations.empty() && note.scratch.empty();
    return writer(std::string(kNote), done ? "" : text_of(note));
}

Result<Swept> sweep(const Facts& notes, const JobHost& host, const NoteWriter& writer) {
    Swept swept;
    // A copy: the writer may write into the very notes.
    for (const auto& [key, text] : Facts(notes)) {
        if (is_note(key)) TRY(sweep_one(key, text, host, writer, swept));
    }
    return swept;
}

}  // namespace backstay::backup
