#include <filesystem>

#include "common/crypto/secretstream.h"
#include "common/human.h"
#include "control-plane/cli/commands.h"
#include "control-plane/cli/installation_session.h"
#include "control-plane/own-backup/restore.h"
#include "control-plane/own-backup/save.h"
#include "control-plane/store/removal_hold.h"

namespace backstay::cli {
namespace {

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

void add_all(Lines& lines, const std::string& word, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) lines.emplace_back(&text == &texts.front() ? word : "", text);
}

json::Array texts_of(const std::vector<std::string>& texts) {
    json::Array array;
    for (const std::string& text : texts) array.emplace_back(text);
    return array;
}

std::string counted(const own_backup::Forgotten& forgotten) {
    return std::to_string(forgotten.unmade) + " ordered backups or snapshots forgotten, " +
           std::to_string(forgotten.stopped) + " restores, rollbacks or undos ended as failed";
}

}  // namespace

Result<> own_backup(const Common& common, const OwnBackupArguments& arguments) {
    own_backup::SaveOrder order;
    order.output = arguments.output == "-" ? "-" : absolute(arguments.output);
    order.with_keys = !arguments.without_keys;
    order.keep = static_cast<std::size_t>(arguments.keep);
    if (!arguments.key_file.empty()) order.key = TRY(StreamKey::load(arguments.key_file));
    std::string state = absolute(common.state_dir);
    if (state.size() > 1 && state.ends_with('/')) state.pop_back();
    const Settings settings = TRY(load_settings(state));
    const auto saved = TRY(own_backup::save(settings, order, SystemClock().now_ms()));
    if (order.output == "-") return {};
    Lines lines = {{"backup", saved.path + ", " + human::size(saved.bytes)}};
    if (order.with_keys && !order.key) {
        lines.emplace_back("mind", "it holds the keys of this installation: who reads it reads every destination");
    }
    add_all(lines, "not in it", saved.left_out);
    if (saved.removed > 0) lines.emplace_back("removed", std::to_string(saved.removed) + " older");
    print(common,
          {{"path", saved.path},
           {"bytes", saved.bytes},
           {"withKeys", order.with_keys},
           {"encrypted", order.key.has_value()},
           {"removed", saved.removed},
           {"leftOut", texts_of(saved.left_out)}},
          lines);
    return {};
}

Result<> own_restore(const Common& common, const OwnBackupArguments& arguments) {
    const std::string state = absolute(common.state_dir);
    const TimeMs now = SystemClock().now_ms();
    if (!arguments.store.empty() && !sql::is_postgres_url(arguments.store)) {
        return Error(Errc::invalid, "--store takes postgresql://…");
    }
    const own_backup::RestoreOrder order{state, absolute(arguments.from), arguments.key_file, arguments.store};
    const auto restored = TRY(own_backup::restore(order, now));
    const std::string moment = to_rfc3339(restored.about.made_at.ms);
    const std::string since = to_rfc3339(restored.forgotten.tell_since);
    const std::string held = to_rfc3339(now + store::kRemovalHoldMs);
    Lines lines = {{"restored", state + ", as it was at " + moment + " in " + restored.about.state_dir}};
    lines.emplace_back("", counted(restored.forgotten));
    if (restored.forgotten.alone > 0) {
        lines.emplace_back("",
                           std::to_string(restored.forgotten.alone) + " jobs that agents had begun ended as failed");
    }
    if (restored.forgotten.tokens + restored.forgotten.deliveries > 0) {
        lines.emplace_back("", std::to_string(restored.forgotten.tokens) + " unused enrolment tokens and " +
                                   std::to_string(restored.forgotten.deliveries) + " waiting notices ended");
    }
    if (restored.store_changed) {
        lines.emplace_back("store", sql::without_password(restored.store) + "; `store` in control.toml says so now");
    }
    lines.emplace_back("held", "nothing is removed by itself until " + held + ", or until");
    lines.emplace_back("", "backstay-control release-hold --state " + state + ": look at pins and schedules first");
    if (restored.no_account) {
        lines.emplace_back("mind", "all of it is root's, for there is no account " + *restored.no_account +
                                       " here: chown -R the folder to whoever runs the server");
    }
    add_all(lines, "put by hand", restored.elsewhere);
    add_all(lines, "missing", restored.missing);
    if (!restored.about.with_keys) {
        lines.emplace_back("", "the backup is without keys: put the old ones there before the server starts");
    }
    lines.emplace_back("not known",
                       "what was made, changed or taken back since " + moment + ": keys and tokens, also those that");
    lines.emplace_back("", "were revoked since; environments, schedules, destinations; backups made since");
    lines.emplace_back("next", "backstay-control serve --state " + state + " (or systemctl start backstay-control)");
    lines.emplace_back("", "on each agent's host: backstay report-again --since " + since);
    lines.emplace_back("", "agents come back by themselves; the rest is in docs/disaster-drill.md");
    print(common,
          {{"state", state},
           {"store", sql::without_password(restored.store)},
           {"madeAt", moment},
           {"tellAgainSince", since},
           {"heldUntil", held},
           {"withKeys", restored.about.with_keys},
           {"forgotten", restored.forgotten.unmade},
           {"stopped", restored.forgotten.stopped},
           {"elsewhere", texts_of(restored.elsewhere)},
           {"missing", texts_of(restored.missing)}},
          lines);
    return {};
}

Result<> release_hold(const Common& common) {
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const bool held = TRY(store::release_removals(session.db, session.now));
    if (held) {
        for (const store::Organization& organization : TRY(store::Organizations(session.db).list())) {
            TRY(registry::note(transaction, session.actor(), organization.id, "control_plane.release_hold",
                               organization.id, ""));
        }
    }
    TRY(transaction.commit());
    print(common, {{"released", held}},
          {{held ? "released" : "nothing held", held ? "retention and expiry go on within seconds" : ""}});
    return {};
}

}  // namespace backstay::cli
