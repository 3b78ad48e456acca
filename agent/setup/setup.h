// `backstay setup`: from an installed package to a working host. A stage looks at one part of the host and answers with
// steps: what is as it should be, and what would change, exactly as it would be typed. The same steps are shown, asked
// about, or taken. Nothing is remembered between two runs: what an earlier one did is found done.
#pragma once

#include <boost/describe.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/inventory/clusters.h"
#include "agent/setup/host.h"
#include "common/result.h"

namespace backstay::setup {

enum class Role { backup, restore };

struct Wishes {
    std::string config = "/etc/backstay/agent.toml";
    std::string account = "backstay";  // whom the agent's service runs as
    std::optional<Role> role;          // none: the one that PostgreSQL's role has already
    std::string cluster;               // one that was found; empty: what is configured
    std::string database, filestore, odoo_conf;
    std::string destination;  // a folder; empty: what is configured
    bool wal = false;
    std::string url, token;
    std::string hook;  // the program that PostgreSQL is to call for its WAL
};

// Where the system keeps its things; tests and images look elsewhere.
struct Places {
    std::string units = "/etc/systemd/system";
    ClusterPlaces clusters;
    bool systemd = true;  // it runs
};

struct Step {
    std::string name;   // for scripts: "configuration", "role" …
    std::string about;  // for people: "role backstay in PostgreSQL main"
    std::string why;
    std::vector<std::string> changes = {};
    std::vector<std::string> left = {};   // for the administrator: nothing that this command does
    std::string problem = {}, hint = {};  // why it cannot be done; a hint alone is only told
    bool restarts = false;                // the agent reads it at its start only
    std::function<Result<>()> apply = {};

    static Step failed(std::string name, std::string about, const Error& error);
};

// What became of a step: good (nothing to do), left (nothing that this command does), planned, changed, declined,
// failed.
struct Outcome {
    std::string name, about, state;
    std::vector<std::string> changes, left;
    std::string problem, hint;
};
BOOST_DESCRIBE_STRUCT(Outcome, (), (name, about, state, changes, left, problem, hint))

struct OdooDatabase {
    std::string cluster, name, filestore;
    // The agent's role, were it no superuser.
    bool may_insert = false;  // into ir_attachment
    bool may_connect = false;
};

struct Context {
    Wishes wishes;
    Places places;
    Host& host;
    AgentConfig config = {};  // as it will be
    Role role = Role::backup;
    bool restart = false;                               // of the agent, for what was changed
    std::function<bool()> busy = [] { return false; };  // jobs run that a restart would interrupt
};

class Dialogue {
public:
    virtual ~Dialogue() = default;
    virtual bool agrees(const Step& step) = 0;
    // Nobody wished for one, and PostgreSQL has none yet.
    virtual Result<Role> choose_role() = 0;
    virtual void told(const Outcome& outcome) = 0;
};

// Does what is agreed to, in order; a failed step does not keep others from being taken, a bad configuration does.
// Errors: a wish that cannot be met, before anything was changed.
Result<std::vector<Outcome>> run(Context& context, Dialogue& dialogue, bool show_only);

// The stages, in their order.
Step configuration(Context& context);
std::vector<Step> folders(Context& context);
std::vector<Step> roles(Context& context);
std::vector<Step> confinement(Context& context);
std::vector<Step> enrolment(Context& context);
std::vector<Step> service(Context& context);
std::vector<Step> archiving(Context& context);

// What the agent's role is in the first cluster: nullopt where there is none yet.
Result<std::optional<Role>> present_role(Context& context);
struct OdooDatabases {
    std::vector<OdooDatabase> found;
    std::vector<std::string> unknown;  // what could not be looked at, and why
};
OdooDatabases odoo_databases(Context& context, const ClusterConfig& cluster);
OdooDatabases odoo_databases(Context& context);

// The credential goes into the state folder. Errors never quote the token.
Result<std::string> enroll(const AgentConfig& config, const std::string& url, const std::string& token);

}  // namespace backstay::setup
