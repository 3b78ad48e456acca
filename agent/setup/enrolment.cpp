#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "agent/setup/setup.h"
#include "agent/state/identity.h"
#include "common/version.h"
#include "control-plane-client/client.h"

namespace backstay::setup {

Result<std::string> enroll(const AgentConfig& config, const std::string& url, const std::string& token) {
    char hostname[256] = {};
    if (::gethostname(hostname, sizeof(hostname) - 1) != 0) return Error::from_errno(errno, "gethostname");
    control_plane::ControlPlaneClient client({url, config.control_plane_ca_file, "", {}});
    const auto answer = TRY(client.enroll({token, hostname, std::string(kVersion), control_plane::kProtocolVersion}));
    TRY(save_identity(config.state_dir,
                      {answer.agent_id, answer.organization_id, answer.name, answer.credential, url}));
    return answer.agent_id;
}

std::vector<Step> enrolment(Context& context) {
    const std::string& url = context.config.control_plane_url;
    if (url.empty()) return {};
    Step step{"enrolment", "enrolment at " + url, "the control plane knows this host, and orders its backups"};
    const auto identity = load_identity(context.config.state_dir);
    if (!identity) return {Step::failed(step.name, step.about, identity.error())};
    const bool known = *identity && !(*identity)->organization_id.empty() && (*identity)->url == url;
    if (known) return {step};
    if (context.wishes.token.empty()) {
        step.left.push_back(
            "the control plane does not know this host: make a token there (backstay-control agent enroll-token), then "
            "here: backstay setup --token-file FILE");
        return {step};
    }
    step.changes.push_back(fmt::format("exchange the one-time token at {} for a credential, kept in {}", url,
                                       identity_file(context.config.state_dir)));
    step.apply = [&context, url]() -> Result<> {
        const auto id = enroll(context.config, url, context.wishes.token);
        if (id) return {};
        return Error(id.error()).with_hint("a token is good once and for a while: make another one if it was used");
    };
    return {step};
}

}  // namespace backstay::setup
