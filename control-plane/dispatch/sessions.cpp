#include "control-plane/dispatch/sessions.h"

namespace backstay::dispatch {

Result<SessionRow> session_of(sql::Database& db, std::string_view agent_id) {
    const sql::Question question = session_question(agent_id);
    return read_session(TRY(db.query(question.sql, question.values)));
}

sql::Question session_question(std::string_view agent_id) {
    return {"SELECT instance_id, seen_at, heard_at, gone FROM agent_sessions WHERE agent_id = $1", {agent_id}};
}

Result<SessionRow> read_session(sql::Statement rows) {
    SessionRow out;
    if (!TRY(rows.step())) return out;
    out.session.instance_id = rows.text(0);
    out.session.seen_at = rows.integer(1);
    out.heard_at = rows.integer(2);
    out.session.gone = rows.boolean(3);
    return out;
}

Result<SessionRow> meet(sql::Database& db, std::string_view agent_id, SessionRow row, std::string_view instance_id,
                        bool heartbeat, TimeMs now) {
    if (is_duplicate(row.session, instance_id, now)) {
        return Error(Errc::conflict, "another process with this identity is alive").with_reason("duplicate_agent");
    }
    const bool known = row.session.instance_id == instance_id && !row.session.gone;
    if (known && !heartbeat && now >= row.session.seen_at && now - row.session.seen_at < kSeenAnewMs) return row;
    row.session.instance_id = instance_id;
    row.session.seen_at = now;
    row.session.gone = false;
    if (heartbeat) row.heard_at = now;
    static constexpr std::string_view kSql =
        "INSERT INTO agent_sessions (agent_id, instance_id, seen_at, heard_at, gone) VALUES ($1, $2, $3, $4, 0) ON "
        "CONFLICT (agent_id) DO UPDATE SET instance_id = excluded.instance_id, seen_at = excluded.seen_at, heard_at = "
        "excluded.heard_at, gone = 0";
    TRY(db.run(kSql, {agent_id, instance_id, now, row.heard_at}));
    return row;
}

Result<> note_waiting(sql::Database& db, const Waiting& waiting) {
    if (db.dialect() == sql::Dialect::sqlite) return {};
    TRY(db.run("UPDATE agent_sessions SET poll = $2 WHERE agent_id = $1", {waiting.agent_id, waiting.poll}));
    return {};
}

Result<> note_seen(sql::Database& db, const store::Agent& agent, TimeMs now) {
    if (now >= agent.seen_at && now - agent.seen_at < kSeenAnewMs) return {};
    return store::Agents(db).note_seen(agent.id, now);
}

Result<> note_gone(sql::Database& db, const Waiting& waiting) {
    if (db.dialect() == sql::Dialect::sqlite) {
        TRY(db.run("UPDATE agent_sessions SET gone = 1 WHERE agent_id = $1 AND instance_id = $2",
                   {waiting.agent_id, waiting.instance_id}));
        return {};
    }
    TRY(db.run("UPDATE agent_sessions SET gone = 1 WHERE agent_id = $1 AND poll = $2",
               {waiting.agent_id, waiting.poll}));
    return {};
}

Result<bool> is_alive(sql::Database& db, std::string_view agent_id, TimeMs now) {
    const SessionRow row = TRY(session_of(db, agent_id));
    return !row.session.instance_id.empty() && !row.session.gone && now - row.session.seen_at < kAliveMs;
}

}  // namespace backstay::dispatch
