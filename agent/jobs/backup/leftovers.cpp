#include "agent/jobs/backup/leftovers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/describe.hpp>
#include <filesystem>

#include "agent/jobs/destinations.h"
#include "common/json/json.h"

namespace backstay::backup {
namespace {

constexpr std::string_view kNote = "backup.unfinished";
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

// What the crash cut off is removed; a backup that was committed stays, unless it is known to have failed.
Result<std::string> sweep_place(const DestinationOrder& order, const Unfinished& note, const JobHost& host) {
    const std::unique_ptr<Storage> storage = TRY(open_destination(order, host, {}, kBriefPatience));
    // On this host nobody else writes into a folder of ours; elsewhere only what is old enough is surely dead.
    const std::int64_t age = order.type == "local" ? 0 : kDeadUploadMs;
    TRY(storage->sweep_leftovers(host.clock.now_ms() - age + (age == 0 ? 1 : 0)));
    const auto manifest = storage->stat(note.folder + "/manifest.json");
    if (!manifest && manifest.error().code() != Errc::not_found) return manifest.error();
    // A manifest that is newer than the failure is that of a copy made since.
    if (manifest && (!note.unwanted || manifest->modified_at > note.made_at.ms)) {
        return fmt::format("backup {} is complete in {}", note.folder, order.name);
    }
    const std::uint64_t removed = TRY(remove_folder_objects(*storage, note.folder));
    return fmt::format("removed {} objects of an unfinished backup from {}", removed, order.name);
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

void sweep_places(Unfinished& note, const JobHost& host, Swept& swept) {
    std::vector<std::string> left;
    for (const std::string& id : note.destinations) {
        const DestinationOrder* known = known_destination(note, id, host);
        Result<std::string> done = known == nullptr
                                       ? Error(Errc::unavailable, "its configuration comes with the next order to it")
                                       : sweep_place(*known, note, host);
        swept.done.push_back(done ? *done : fmt::format("leftovers in {} stay: {}", id, done.error().message()));
        if (!done) left.push_back(id);
    }
    note.destinations = std::move(left);
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
    const auto found = notes.find(std::string(kNote));
    if (found == notes.end()) return swept;
    Unfinished note = TRY(read_note(found->second));
    sweep_scratch(note, swept);
    if (note.folder.starts_with("v1/")) sweep_places(note, host, swept);
    const bool forgotten = host.clock.now_ms() - note.made_at.ms > kForgottenMs;
    if (forgotten && !note.destinations.empty()) {
        swept.done.push_back(fmt::format("leftovers in {} destinations are given up after 30 days: {}",
                                         note.destinations.size(), note.folder));
    }
    swept.clean = forgotten || (note.destinations.empty() && note.scratch.empty());
    TRY(writer(std::string(kNote), swept.clean ? "" : text_of(note)));
    return swept;
}

}  // namespace backstay::backup
