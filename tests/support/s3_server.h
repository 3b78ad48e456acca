// A real S3 server (Ceph RGW) for one test program, by tests/infra/s3.sh: started with the first use, gone with the
// program, however that ends. Buckets are made on demand.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <string>

#include "storage/s3/connection.h"
#include "tests/support/scripted_server.h"

namespace backstay::testing {

class S3Server : public ScriptedServer {
public:
    // One for the whole program.
    static S3Server& get() {
        static S3Server server;
        return server;
    }

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

private:
    S3Server() : ScriptedServer(BACKSTAY_SOURCE_DIR "/tests/infra/s3.sh") {}

    int buckets_ = 0;
};

}  // namespace backstay::testing
