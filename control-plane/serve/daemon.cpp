#include "control-plane/serve/daemon.h"

#include <systemd/sd-daemon.h>

#include <charconv>
#include <csignal>
#include <thread>

#include "common/event/loop.h"
#include "common/files/files.h"
#include "common/http/server.h"
#include "common/log.h"
#include "control-plane/config/installation.h"
#include "control-plane/config/same_keys.h"
#include "control-plane/notify/deliverer.h"
#include "control-plane/notify/mailer.h"
#include "control-plane/own-backup/daily.h"
#include "control-plane/replicas/bell.h"
#include "control-plane/replicas/membership.h"
#include "control-plane/serve/compose.h"
#include "control-plane/serve/open_files.h"
#include "control-plane/serve/pipeline.h"

namespace backstay::serve {
namespace {

constexpr std::uint64_t kStopGraceMs = 10'000;
constexpr std::chrono::seconds kLockPatience(3);
constexpr std::int64_t kStoreWaitMs = 30'000;
constexpr std::chrono::seconds kStoreAgain(1);

struct Address {
    std::string host;
    std::uint16_t port = 0;
};

// "127.0.0.1:8480", "[::1]:0"
Result<Address> parse_listen(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    Address address;
    const char* end = text.data() + text.size();
    const bool good = colon != std::string::npos && colon > 0 &&
                      std::from_chars(text.data() + colon + 1, end, address.port).ptr == end && colon + 1 < text.size();
    if (!good) return Error(Errc::invalid, "listen must be HOST:PORT, not " + text);
    address.host = text.substr(0, colon);
    if (address.host.starts_with('[') && address.host.ends_with(']')) {
        address.host = address.host.substr(1, address.host.size() - 2);
    }
    return address;
}

std::string shown(const Address& address) {
    const bool six = address.host.find(':') != std::string::npos;
    return (six ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<std::string> mail_password(const MailSettings& mail) {
    if (mail.password_file.empty()) return std::string();
    return TRY(read_secret_file(mail.password_file, 4096).context("read the password for mail"));
}

// PostgreSQL may start after us.
// An upgrade has no way back but the backup before it.
Result<std::string> upgraded_store(const Settings& settings, const std::string& store_url) {
    if (store_url.empty()) {
        const auto kept = own_backup::before_upgrade(settings, SystemClock().now_ms());
        if (!kept && kept.error().code() == Errc::unavailable) return kept.error();
        if (!kept) log::error("no backup before the upgrade", {{"error", kept.error().message()}});
    }
    return ready_store(settings, store_url);
}

Result<std::string> waited_for_store(const Settings& settings, const std::string& store_url) {
    const std::int64_t until = steady_ms() + kStoreWaitMs;
    while (true) {
        auto store = upgraded_store(settings, store_url);
        if (store || store.error().code() != Errc::unavailable || steady_ms() >= until) return store;
        log::warning("waiting for the store", {{"error", store.error().message()}});
        std::this_thread::sleep_for(kStoreAgain);
    }
}

// All parts of one running control plane; members are destroyed from the last to the first.
class Daemon {
public:
    static Result<std::unique_ptr<Daemon>> build(Settings settings, const std::string& store_url);
    ~Daemon();
    Result<> listen(const std::string& where);
    void run() { loop_->run(); }

private:
    Daemon(Settings settings, FileLock lock, SecretBox box, JwtVerifier verifier)
        : settings_(std::move(settings)),
          lock_(std::move(lock)),
          box_(std::move(box)),
          gate_(std::move(verifier)),
          tls_{settings_.tls_certificate_file, settings_.tls_key_file} {}
    Result<> start(const std::string& store);
    Result<> start_deliveries(const std::string& store);
    void join_replicas(const std::string& store);
    // What looks into destinations, from here or through agents.
    void start_relay();
    std::optional<relay::StorageDesk::Sharing> sharing() const;
    void stop();
    void reload();

    Settings settings_;
    FileLock lock_;
    SystemClock clock_;
    SecretBox box_;
    auth::Gate gate_;
    http::TlsFiles tls_;
    Metrics metrics_;
    api::RouteTable routes_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<replicas::Membership> membership_;
    std::unique_ptr<store::DatabaseThreads> threads_;
    std::unique_ptr<Pipeline> pipeline_;
    // After the pipeline: what waits for an answer goes before it.
    std::unique_ptr<relay::StorageDesk> desk_;
    std::unique_ptr<relay::Pumps> pumps_;
    std::unique_ptr<relay::PassOn> others_;
    std::unique_ptr<browse::Browser> browser_;
    std::unique_ptr<Health> health_;
    std::unique_ptr<live::Live> live_;
    std::unique_ptr<replicas::Bell> bell_;  // PostgreSQL only
    std::unique_ptr<notify::Deliverer> deliverer_;
    std::unique_ptr<own_backup::Daily> daily_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<SignalWatch> terminate_;
    std::unique_ptr<SignalWatch> interrupt_;
    std::unique_ptr<SignalWatch> hang_up_;
    std::unique_ptr<Timer> watchdog_;
    bool stopping_ = false;
};

Result<std::unique_ptr<Daemon>> Daemon::build(Settings settings, const std::string& store_url) {
    auto lock =
        TRY(FileLock::acquire(settings.state_dir + "/serve.lock", kLockPatience).context("take the state folder"));
    auto box = TRY(open_secret_box(settings));
    auto verifier = TRY(open_verifier(settings));
    const std::string store = TRY(waited_for_store(settings, store_url));
    {
        auto db = TRY(store::open_store(store));
        TRY(check_same_keys(db, settings, SystemClock().now_ms()));
    }
    std::unique_ptr<Daemon> daemon(
        new Daemon(std::move(settings), std::move(lock), std::move(box), std::move(verifier)));
    TRY(daemon->start(store));
    return daemon;
}

Result<> Daemon::start(const std::string& store) {
    allow_connections(settings_.limits.connections);
    loop_ = TRY(Loop::create());
    membership_ = TRY(replicas::Membership::join(store, settings_.replicas.address, clock_));
    threads_ = TRY(store::DatabaseThreads::start(
        store, [loop = loop_.get()](std::function<void()> task) { loop->post(std::move(task)); }));
    live_ =
        std::make_unique<live::Live>(*loop_, *threads_, clock_, destination_opener(box_), settings_, membership_->id());
    if (membership_->is_shared()) join_replicas(store);
    start_relay();
    auto access = TRY(metrics_access(settings_.metrics));
    health_ = std::make_unique<Health>(*threads_, metrics_, clock_, std::move(access));
    std::optional<TokenMaker> tokens;
    if (auto maker = TokenMaker::open(settings_)) tokens = std::move(*maker);
    add_all_routes(routes_, {box_, std::move(tokens), address_rule(settings_), webhook_rule(settings_),
                             !settings_.mail.host.empty(), *live_, *browser_, *desk_, *pumps_, *others_, *health_});
    TRY(start_deliveries(store));
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Parts{routes_, *threads_, {gate_, box_}, clock_, metrics_},
                                           settings_.limits);
    if (membership_->is_shared()) pipeline_->share_limits(*loop_);
    const auto gauge = [this](const char* name, const char* help, auto value) {
        health_->add_gauge([=] { return Sample{name, help, {}, static_cast<double>(value())}; });
    };
    gauge("backstay_event_streams", "Event streams open now", [this] { return live_->streams().size(); });
    gauge("backstay_waiting_requests", "Long polls waiting now", [this] { return pipeline_->waiting_requests(); });
    gauge("backstay_requests_in_flight", "Requests on database threads now", [this] { return pipeline_->in_flight(); });
    gauge("backstay_transfers", "Downloads and uploads under way",
          [this] { return browser_->transfers.under_way() + browser_->uploads.under_way(); });
    gauge("backstay_transfer_threads_busy", "Threads that carry content now",
          [this] { return threads_->busy(store::DatabaseThreads::Lane::transfer); });
    if (!settings_.backup.folder.empty()) {
        settings_.store = store;
        daily_ = std::make_unique<own_backup::Daily>(settings_, clock_);
        gauge("backstay_control_backup_timestamp_seconds", "When the control plane itself was last backed up; 0: never",
              [this] { return static_cast<double>(daily_->newest()) / 1000.0; });
    }
    gauge("backstay_http_connections", "Connections open now", [this] { return server_->open_connections(); });
    http::Server::Options options;
    options.limits.body_bytes = settings_.limits.body_bytes;
    options.limits.connections = settings_.limits.connections;
    options.tls = tls_.certificate_file.empty() ? nullptr : &tls_;
    options.error_body = Pipeline::server_error;
    options.streamed_body = [this](const http::Request& request) { return pipeline_->streamed_body(request); };
    server_ = TRY(http::Server::create(
        *loop_, options, [this](std::unique_ptr<http::Exchange> exchange) { pipeline_->handle(std::move(exchange)); }));
    terminate_ = std::make_unique<SignalWatch>(*loop_, SIGTERM, [this] { stop(); });
    interrupt_ = std::make_unique<SignalWatch>(*loop_, SIGINT, [this] { stop(); });
    hang_up_ = std::make_unique<SignalWatch>(*loop_, SIGHUP, [this] { reload(); });
    return {};
}

// Others may serve the same store.
void Daemon::join_replicas(const std::string& store) {
    bell_ = std::make_unique<replicas::Bell>(
        *loop_, *threads_, store, membership_->id(),
        replicas::Ears{[this](const dispatch::Stir& stir) { live_->hear(stir); }, [this] { live_->look_around(); }});
    live_->ring_by([this](const dispatch::Stir& stir) { bell_->ring(stir); });
}

void Daemon::start_relay() {
    desk_ = std::make_unique<relay::StorageDesk>(
        [this](const std::string& agent) {
            loop_->post([this, agent] {
                dispatch::Stir stir;
                stir.agents.insert(agent);
                live_->stir(stir);
            });
        },
        relay::StorageDesk::Patience(), sharing());
    pumps_ = std::make_unique<relay::Pumps>(*loop_);
    http::ClientOptions to_replicas;
    to_replicas.ca_file = settings_.replicas.ca_file;
    others_ = std::make_unique<relay::PassOn>(
        relay::PassOn::Parts{*loop_, *threads_, clock_, *pumps_, *desk_, membership_->id(), to_replicas});
    browser_ =
        std::make_unique<browse::Browser>(*loop_, *threads_, clock_, box_, address_rule(settings_), *desk_, *pumps_,
                                          browse::Browser::Home{settings_.state_dir, membership_->id()});
}

std::optional<relay::StorageDesk::Sharing> Daemon::sharing() const {
    if (!membership_->is_shared()) return std::nullopt;
    return relay::StorageDesk::Sharing{box_, clock_, membership_->id(), !membership_->address().empty()};
}

Result<> Daemon::start_deliveries(const std::string& store) {
    const MailSettings& mail = settings_.mail;
    notify::DelivererParts parts{store, clock_, box_, {}, {}};
    parts.http.address_rule = webhook_rule(settings_);
    parts.http.user_agent = "backstay-control";
    if (!mail.host.empty()) {
        mail::SmtpOptions smtp;
        smtp.host = mail.host;
        smtp.port = static_cast<std::uint16_t>(mail.port);
        smtp.security = mail.security == "tls"        ? mail::Security::tls
                        : mail.security == "starttls" ? mail::Security::starttls
                                                      : mail::Security::none;
        smtp.ca_file = mail.ca_file;
        smtp.username = mail.username;
        smtp.password = TRY(mail_password(mail));
        parts.mail = [this, smtp](const std::string& to, const alerts::Delivery& delivery,
                                  const std::stop_token& stop) {
            return notify::send_mail(smtp, settings_.mail.from, to, delivery, clock_.now_ms(), stop);
        };
    }
    deliverer_ = TRY(notify::Deliverer::start(std::move(parts)));
    return {};
}

Result<> Daemon::listen(const std::string& where) {
    Address address = TRY(parse_listen(where));
    address.port = TRY(server_->listen_tcp(address.host, address.port).context("listen on " + where));
    TRY(atomic_write(settings_.state_dir + "/listen", shown(address) + "\n", 0644));
    log::info("listening", {{"address", shown(address)}, {"tls", tls_.certificate_file.empty() ? "off" : "on"}});
    ::sd_notify(0, "READY=1");
    std::uint64_t interval_us = 0;
    if (::sd_watchdog_enabled(0, &interval_us) > 0) {
        const std::uint64_t half_ms = interval_us / 2000;
        watchdog_ = std::make_unique<Timer>(*loop_, half_ms, half_ms, [] { ::sd_notify(0, "WATCHDOG=1"); });
    }
    return {};
}

// The first request to stop lets answers in flight finish, the second does not wait.
void Daemon::stop() {
    if (stopping_) return loop_->stop();
    stopping_ = true;
    log::info("stopping", {{"connections", server_->open_connections()}});
    ::sd_notify(0, "STOPPING=1");
    health_->begin_stopping();
    pipeline_->begin_stopping();
    browser_->scans.stop();
    live_->stop();
    server_->stop(kStopGraceMs, [this] { loop_->stop(); });
}

void Daemon::reload() {
    if (tls_.certificate_file.empty()) return;
    const auto reloaded = server_->reload_tls();
    if (reloaded) {
        log::info("certificate read again", {{"file", tls_.certificate_file}});
    } else {
        log::error("certificate not read again", {{"error", reloaded.error().message()}});
    }
}

Daemon::~Daemon() {
    // Database threads end first: what they run looks at other parts, and what they post is dropped now.
    // Connections first: threads that carry content wait for them.
    server_.reset();
    if (browser_) browser_->stop();
    if (threads_) threads_->stop();
}

}  // namespace

Result<> serve(const ServeOptions& options) {
    auto loaded = load_settings(options.state_dir);
    // Not set up yet is a fault of the configuration: systemd does not try that again (its exit code says so).
    if (!loaded && loaded.error().code() == Errc::not_found) {
        return Error(Errc::invalid, loaded.error().message()).with_hint(loaded.error().hint());
    }
    Settings settings = TRY(std::move(loaded));
    log::set_level(settings.log_level);
    const std::string where = options.listen.empty() ? settings.listen : options.listen;
    const auto daemon = TRY(Daemon::build(std::move(settings), options.store_url));
    TRY(daemon->listen(where));
    daemon->run();
    log::info("stopped");
    return {};
}

}  // namespace backstay::serve
