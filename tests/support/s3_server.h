// A real S3 server (Ceph RGW) for one test program, by tests/infra/s3.sh: started with the first use, gone with the
// program, however that ends. Buckets are made on demand.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "storage/s3/connection.h"
#include "tests/support/temp_dir.h"

namespace backstay::testing {

class S3Server {
public:
    // One for the whole program.
    static S3Server& get() {
        static S3Server server;
        return server;
    }

    S3Server(const S3Server&) = delete;
    S3Server& operator=(const S3Server&) = delete;
    ~S3Server() {
        ::close(to_script_);
        if (script_ > 0) ::waitpid(script_, nullptr, 0);
    }

    const std::string& value(const std::string& name) const { return values_.at(name); }
    std::string ca_pem() const {
        std::ifstream file(value("S3_CA"));
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    // A configuration for a bucket that does not exist yet.
    S3Config config(const std::string& bucket, bool tls = false) const {
        S3Config config;
        config.endpoint = value(tls ? "S3_ENDPOINT_TLS" : "S3_ENDPOINT");
        if (tls) config.ca_pem = ca_pem();
        config.bucket = bucket;
        config.region = value("S3_REGION");
        config.access_key_id = value("S3_ACCESS_KEY");
        config.secret_access_key = value("S3_SECRET_KEY");
        return config;
    }
    // The same with the bucket made; each call another one.
    S3Config new_bucket(bool tls = false, bool object_lock = false) {
        S3Config made = config(fmt::format("bucket-{}", ++buckets_), tls);
        s3::Call call;
        call.method = "PUT";
        if (object_lock) call.headers.set("x-amz-bucket-object-lock-enabled", "true");
        const auto answer = connect(made).persist(call);
        if (!answer) fail("make bucket: " + answer.error().message());
        return made;
    }
    static s3::Connection connect(const S3Config& config) {
        return s3::Connection(*s3::find_address(config), config, StorageContext{});
    }

    // Runs `s3.sh COMMAND DIR ARGUMENT`.
    void tell(const std::string& command, const std::string& argument = "") const {
        const std::string line = fmt::format("'{}' {} '{}' {}", kScript, command, folder_.path(), argument);
        if (std::system(line.c_str()) != 0) fail("s3.sh " + command);
    }

private:
    static constexpr const char* kScript = BACKSTAY_SOURCE_DIR "/tests/infra/s3.sh";

    S3Server() {
        int in[2] = {-1, -1};
        int out[2] = {-1, -1};
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("pipe");
        script_ = ::fork();
        if (script_ == 0) {
            ::dup2(in[0], 0);
            ::dup2(out[1], 1);
            ::execl(kScript, kScript, "run", folder_.path().c_str(), nullptr);
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        to_script_ = in[1];
        read_values(out[0]);
    }

    void read_values(int from) {
        FILE* stream = ::fdopen(from, "r");
        char line[1024];
        bool ready = false;
        while (!ready && ::fgets(line, sizeof(line), stream) != nullptr) {
            std::string text(line);
            text.pop_back();
            ready = text == "ready";
            const std::size_t sign = text.find('=');
            if (sign != text.npos) values_[text.substr(0, sign)] = text.substr(sign + 1);
        }
        ::fclose(stream);
        if (!ready) fail("the S3 server does not start (./dev setup installs it)");
    }

    [[noreturn]] static void fail(const std::string& why) {
        std::cerr << why << std::endl;
        std::exit(1);
    }

    TempDir folder_;
    pid_t script_ = -1;
    int to_script_ = -1;
    std::map<std::string, std::string> values_;
    int buckets_ = 0;
};

}  // namespace backstay::testing
