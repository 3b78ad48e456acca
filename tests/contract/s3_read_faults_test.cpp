#include "tests/contract/s3_faults.h"

namespace backstay::testing {

using ::testing::HasSubstr;
using Kind = Fault::Kind;

namespace {

constexpr std::uint64_t kSize = 3 << 20;

}  // namespace

class S3Reads : public S3Faults {
protected:
    S3Reads() { EXPECT_TRUE(put(*direct_, kSize)); }

    void expect_read(Storage& storage, ByteRange range = {}, std::uint64_t bytes = kSize) {
        PatternSink sink(5, range.first);
        const auto got = storage.get("object", range, sink);
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_EQ(sink.position() - range.first, bytes);
        EXPECT_EQ(sink.wrong(), 0U);
    }
    Error read_error(Storage& storage, ByteRange range = {}) {
        PatternSink sink(5, range.first);
        const auto got = storage.get("object", range, sink);
        EXPECT_FALSE(got);
        EXPECT_EQ(sink.wrong(), 0U) << "what was passed on is right as far as it goes";
        return got ? Error(Errc::io, "none") : got.error();
    }
};

TEST_F(S3Reads, AReadThatBreaksOffGoesOnWhereItStopped) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{100'000}, std::size_t{kSize - 1}}) {
        expect_read(harmed(first(2, read, {Kind::truncate, "", bytes})));
    }
    expect_read(harmed(first(1, read, {Kind::truncate, "", 1000})), {5000, 70'000}, 70'000);
    EXPECT_EQ(proxy_->count([](const ProxiedRequest& r) { return r.has("Range: bytes=6000-74999\r\n"); }), 1);
    EXPECT_EQ(proxy_->count([](const ProxiedRequest& r) { return r.has("If-Match: \""); }), 1);
}

TEST_F(S3Reads, AReadIsRepeatedBeforeItsFirstByte) {
    expect_read(harmed(first(2, read, Fault::status(503, "SlowDown"))));
    expect_read(harmed(first(2, read, {Kind::refuse, "", 0})));
    expect_read(harmed(first(2, read, {Kind::truncate, "", 0})));
}

TEST_F(S3Reads, AReadThatNeverGetsFurtherFails) {
    bool broken = false;
    Storage& storage = harmed([&broken](const ProxiedRequest& request) {
        if (request.method != "GET") return Fault{};
        const Fault fault = broken ? Fault{Kind::refuse, "", 0} : Fault{Kind::truncate, "", 1000};
        broken = true;
        return fault;
    });
    const Error error = read_error(storage);
    expect_error(error, Errc::unavailable, reason::kDestinationUnreachable);
    EXPECT_THAT(error.message(), HasSubstr("broken off at byte 1000"));
}

TEST_F(S3Reads, ASlowServerIsWaitedFor) { expect_read(harmed(always(read, {Kind::trickle, "", 64 * 1024}))); }

TEST_F(S3Reads, AHangingReadIsGivenUp) {
    expect_error(read_error(harmed(always(read, {Kind::hang, "", 0}))), Errc::timed_out,
                 reason::kDestinationUnreachable);
}

TEST_F(S3Reads, ARangeThatTheServerIgnoresIsNotTakenForIt) {
    const Fault whole_object = {Kind::answer, Fault::raw(200, std::string(1000, 'x'), "ETag: \"1\"\r\n"), 0};
    const Error error = read_error(harmed(always(read, whole_object)), {10, 20});
    expect_error(error, Errc::corrupted, reason::kRemoteCorrupt);
    const Fault other = {Kind::answer, Fault::raw(206, std::string(20, 'x'), "Content-Range: bytes 0-19/1000\r\n"), 0};
    expect_error(read_error(harmed(always(read, other)), {10, 20}), Errc::corrupted, reason::kRemoteCorrupt);
    for (const char* wrong : {"Content-Range: bytes 10-39/1000\r\n", "Content-Range: bytes 10-19/1000\r\n"}) {
        const std::size_t sent = std::string_view(wrong).find("39") != std::string_view::npos ? 30 : 10;
        const Fault more_or_less = {Kind::answer, Fault::raw(206, std::string(sent, 'x'), wrong), 0};
        expect_error(read_error(harmed(always(read, more_or_less)), {10, 20}), Errc::corrupted, reason::kRemoteCorrupt);
    }
    for (const char* bad : {"", "Content-Range: bytes 19-10/20\r\n", "Content-Range: items 1-2/3\r\n",
                            "Content-Range: bytes x-2/3\r\n", "Content-Range: bytes 10\r\n"}) {
        const Fault odd = {Kind::answer, Fault::raw(206, "x", bad), 0};
        expect_error(read_error(harmed(always(read, odd)), {10, 20}), Errc::corrupted, reason::kRemoteCorrupt);
    }
}

TEST_F(S3Reads, AnAnswerWithoutALengthIsNotTakenForTheWhole) {
    const Fault open_end = {Kind::answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", 0};
    expect_error(read_error(harmed(always(read, open_end))), Errc::corrupted, reason::kRemoteCorrupt);
}

TEST_F(S3Reads, AnObjectThatChangesWhileItIsReadIsNoticed) {
    bool changed = false;
    Storage& storage = harmed([&](const ProxiedRequest& request) {
        if (request.method != "GET" || changed) return Fault{};
        changed = true;
        return Fault{Kind::truncate, "", 1000};
    });
    // Between the first transfer and the second, somebody else's hand.
    PatternSource other(kSize, 6);
    class Replacing final : public Sink {
    public:
        Replacing(Storage& direct, Source& other) : direct_(direct), other_(other) {}
        Result<> write(ByteSpan) override {
            if (done_) return {};
            done_ = true;
            TRY(direct_.remove("object"));
            TRY(direct_.put("object", other_, {}));
            return {};
        }

    private:
        Storage& direct_;
        Source& other_;
        bool done_ = false;
    } sink(*direct_, other);
    const auto got = storage.get("object", {}, sink);
    ASSERT_FALSE(got);
    expect_error(got.error(), Errc::corrupted, reason::kRemoteCorrupt);
}

TEST_F(S3Reads, AListingThatIsNoneFails) {
    for (const char* body :
         {"", "<html>", "<Error/>",
          "<ListBucketResult><Contents><Key>k</Key><Size>x</Size></Contents></ListBucketResult>",
          "<ListBucketResult><Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>",
          "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>",
          "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
        const auto page = harmed(always(read, {Kind::answer, Fault::raw(200, body), 0})).list({});
        ASSERT_FALSE(page) << body;
        expect_error(page.error(), Errc::corrupted, reason::kDestinationUnreachable);
    }
}

TEST_F(S3Reads, FolderMarkersOfConsolesAreNoObjects) {
    s3::Connection connection = S3Server::connect(config_);
    s3::Call call;
    call.method = "PUT";
    call.key = "folder/";
    ASSERT_TRUE(connection.once(call));
    const auto page = direct_->list({});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->objects.size(), 1U);
    EXPECT_EQ(page->objects[0].key, "object");
}

TEST_F(S3Reads, CallsAreRepeatedWhateverTheyAre) {
    const auto any = [](const ProxiedRequest&) { return true; };
    EXPECT_TRUE(harmed(first(2, any, Fault::status(503, ""))).stat("object"));
    EXPECT_TRUE(harmed(first(2, any, {Kind::lose_answer, "", 0})).list({}));
    EXPECT_TRUE(harmed(first(2, any, Fault::status(500, "InternalError"))).sweep_leftovers(0));
    EXPECT_TRUE(harmed(first(2, any, {Kind::lose_answer, "", 0})).remove("object"));
    expect_nothing();
}

TEST_F(S3Reads, LeftoversAreFoundOnEveryPage) {
    const auto page = [](const std::string& key, const std::string& more) {
        return Fault{Kind::answer,
                     Fault::raw(200, "<ListMultipartUploadsResult><Upload><Key>v1/" + key +
                                         "</Key><UploadId>u</UploadId><Initiated>2020-01-01T00:00:00Z"
                                         "</Initiated></Upload>" +
                                         more + "</ListMultipartUploadsResult>"),
                     0};
    };
    const std::string next =
        "<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
        "<NextUploadIdMarker>u</NextUploadIdMarker>";
    auto swept = harmed([&](const ProxiedRequest& request) {
                     if (request.is_abort()) return Fault::status(404, "NoSuchUpload");
                     const bool parts = request.target.find("uploadId=") != std::string::npos;
                     if (parts) return Fault{Kind::answer, Fault::raw(200, "<ListPartsResult/>"), 0};
                     const bool second = request.target.find("key-marker=a") != std::string::npos;
                     return second ? page("b", "") : page("a", next);
                 }).sweep_leftovers(SystemClock().now_ms());
    EXPECT_EQ(std::move(swept).value_or(0), 2U);
    EXPECT_FALSE(harmed(always(read, page("a", next))).sweep_leftovers(0)) << "a listing that does not move on";
    const std::string nowhere = "<IsTruncated>true</IsTruncated>";
    EXPECT_FALSE(harmed(always(read, page("a", nowhere))).sweep_leftovers(0));
}

TEST_F(S3Reads, ManyAreRemovedOneByOneWhereTheServerKnowsNoBatches) {
    const auto batch = [](const ProxiedRequest& request) { return request.target.ends_with("?delete="); };
    for (const char* key : {"b", "c"}) ASSERT_TRUE(put(*direct_, 10, key));
    Storage& storage = harmed(always(batch, Fault::status(501, "NotImplemented")));
    ASSERT_TRUE(storage.remove_all({"object", "b"}));
    ASSERT_TRUE(storage.remove_all({"c", "d"}));
    EXPECT_EQ(proxy_->count(batch), 1) << "asked once, then remembered";
    expect_nothing();
}

TEST_F(S3Reads, ABatchThatLeavesOneIsNoSuccess) {
    const auto batch = [](const ProxiedRequest& request) { return request.target.ends_with("?delete="); };
    const std::string some =
        "<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
        "<Error><Key>gone</Key><Code>NoSuchKey</Code></Error></DeleteResult>";
    auto removed = harmed(always(batch, {Kind::answer, Fault::raw(200, some), 0})).remove_all({"a", "b"});
    ASSERT_FALSE(removed);
    expect_error(removed.error(), Errc::denied, reason::kDestinationAuthFailed);
    EXPECT_THAT(removed.error().message(), HasSubstr("'b'"));
    removed = harmed(always(batch, {Kind::answer, Fault::raw(200, "<html/>"), 0})).remove_all({"a", "b"});
    ASSERT_FALSE(removed);
    expect_error(removed.error(), Errc::unavailable, reason::kDestinationUnreachable);
}

TEST_F(S3Reads, WrongKeysAreNamedAsSuch) {
    S3Config config = config_;
    config.secret_access_key = "wrong";
    auto wrong = open(config);
    const auto stored = put(*wrong, 100, "other");
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::denied, reason::kDestinationAuthFailed);
    EXPECT_THAT(stored.error().hint(), HasSubstr("secret key"));
    EXPECT_EQ(wrong->list({}).error().reason(), reason::kDestinationAuthFailed);
    EXPECT_EQ(wrong->stat("object").error().reason(), reason::kDestinationAuthFailed);
    config = config_;
    config.access_key_id = "nobody";
    expect_error(put(*open(config), 100, "other").error(), Errc::denied, reason::kDestinationAuthFailed);
}

TEST_F(S3Reads, AMissingBucketIsNoMissingObject) {
    S3Config config = config_;
    config.bucket = "no-such-bucket";
    auto wrong = open(config);
    for (const Error& error : {wrong->stat("object").error(), wrong->list({}).error(), put(*wrong, 10).error(),
                               read_error(*wrong), probe_storage(*wrong).error()}) {
        expect_error(error, Errc::invalid, reason::kDestinationUnreachable);
        EXPECT_THAT(error.hint(), HasSubstr("bucket exist"));
    }
}

TEST_F(S3Reads, AStrangersCertificateIsRefused) {
    S3Config config = config_;
    config.endpoint = S3Server::get().value("S3_ENDPOINT_TLS");
    expect_error(open(config)->stat("object").error(), Errc::denied, reason::kDestinationUnreachable);
    config.ca_pem = S3Server::get().ca_pem();
    EXPECT_TRUE(open(config)->stat("object"));
    config.ca_pem.clear();
    config.verify_tls = false;
    EXPECT_TRUE(open(config)->stat("object"));
}

TEST_F(S3Reads, NobodyListeningIsUnreachable) {
    S3Config config = config_;
    config.endpoint = "http://127.0.0.1:1";
    const Error error = probe_storage(*open(config)).error();
    expect_error(error, Errc::unavailable, reason::kDestinationUnreachable);
    EXPECT_THAT(error.message(), HasSubstr("write a test object"));
}

TEST_F(S3Reads, AWrongClockIsPutRightByTheServers) {
    // An hour ahead, says the server, and from then on signatures must be of that hour.
    const TimeMs theirs = SystemClock().now_ms() + 3'600'000;
    const std::string hour = to_rfc3339(theirs).substr(11, 2);
    const auto ahead = [&](const ProxiedRequest& request) {
        return request.has(fmt::format(
            "x-amz-date: {}T{}",
            [&] {
                std::string date = to_rfc3339(theirs).substr(0, 10);
                std::erase(date, '-');
                return date;
            }(),
            hour));
    };
    Storage& storage = harmed([&](const ProxiedRequest& request) {
        if (ahead(request)) return Fault{Kind::answer, Fault::raw(204, ""), 0};
        const std::time_t seconds = static_cast<std::time_t>(theirs / 1000);
        std::tm parts{};
        ::gmtime_r(&seconds, &parts);
        char date[64];
        std::strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        return Fault::status(403, "RequestTimeTooSkewed", date);
    });
    EXPECT_TRUE(storage.remove("object"));
    EXPECT_TRUE(storage.remove("object"));
    EXPECT_EQ(proxy_->count([](const ProxiedRequest&) { return true; }), 3) << "one failure, then it is known";
}

TEST_F(S3Reads, ASignedUrlIsReadByAnybody) {
    const auto url = direct_->presign_get("object", 60, "a \"nice\" n\xC3\xA4me.zst");
    ASSERT_TRUE(url && *url);
    http::Client client({});
    http::ClientRequest request;
    request.url = **url;
    const auto response = client.perform(request);
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->status, 200) << response->body.substr(0, 500);
    EXPECT_EQ(response->body.size(), kSize);
    EXPECT_EQ(response->headers.get("Content-Disposition"),
              "attachment; filename*=UTF-8''a%20%22nice%22%20n%C3%A4me.zst");
    EXPECT_FALSE(direct_->presign_get("object", 0, ""));
    EXPECT_FALSE(direct_->presign_get("object", 604'801, ""));
}

TEST_F(S3Faults, ALockedObjectStays) {
    S3Config config = S3Server::get().new_bucket(false, true);
    config.object_lock_days = 1;
    auto locked = open(config);
    const auto stored = put(*locked, 5000);
    ASSERT_TRUE(stored) << stored.error().message();
    const auto removed = locked->remove("object");
    ASSERT_FALSE(removed);
    expect_error(removed.error(), Errc::denied, reason::kRemoteImmutable);
    EXPECT_TRUE(locked->stat("object"));
    EXPECT_TRUE(locked->remove("never-was"));
    EXPECT_TRUE(put(*locked, kThreeParts, "large"));
    const auto large = locked->remove("large");
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().reason(), reason::kRemoteImmutable);
    const auto probed = probe_storage(*locked);
    EXPECT_TRUE(probed) << probed.error().message();
    EXPECT_EQ(locked->list({}).value_or({}).objects.size(), 2U);
}

TEST_F(S3Faults, AFullStoreIsCalledFull) {
    S3Server::get().tell("quota", "1048576");
    Result<ObjectInfo> stored = put(*direct_, kThreeParts);
    const auto small = put(*direct_, 2 << 20, "small");
    S3Server::get().tell("quota", "-1");
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::exhausted, reason::kDestinationFull);
    ASSERT_FALSE(small);
    expect_error(small.error(), Errc::exhausted, reason::kDestinationFull);
    expect_nothing();
}

TEST_F(S3Faults, AFrozenServerIsGivenUpAndFoundAgain) {
    ASSERT_TRUE(put(*direct_, 100));
    S3Server::get().tell("pause");
    const auto frozen = direct_->stat("object");
    S3Server::get().tell("resume");
    ASSERT_FALSE(frozen);
    expect_error(frozen.error(), Errc::timed_out, reason::kDestinationUnreachable);
    EXPECT_TRUE(direct_->stat("object"));
}

}  // namespace backstay::testing
