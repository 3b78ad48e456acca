#include <utility>

#include "control-plane/serve/pipeline.h"

namespace backstay::serve {

class Pipeline::Watched final : public http::Exchange {
public:
    Watched(Pipeline& pipeline, std::unique_ptr<Pending> pending)
        : pipeline_(pipeline), pending_(std::move(pending)), counts_(pending_->route->access != api::Access::open) {
        if (counts_) ++pipeline_.waiting_requests_;
    }
    ~Watched() override {
        if (counts_) --pipeline_.waiting_requests_;
    }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    const http::Request& request() const override { return pending_->call.request; }
    http::Request take_request() override { return pending_->call.request; }
    void respond(http::Response response) override {
        pipeline_.stamp(response, *pending_);
        pipeline_.record(*pending_, response.status);
        pipeline_.note_link(*pending_, response.status);
        pipeline_.note_refusal(*pending_, response);
        pending_->exchange->respond(std::move(response));
    }
    std::unique_ptr<http::ResponseStream> open_stream(http::Response head) override {
        pipeline_.stamp(head, *pending_);
        pipeline_.record(*pending_, head.status);
        pipeline_.note_link(*pending_, head.status);
        return pending_->exchange->open_stream(std::move(head));
    }
    void on_abandoned(std::function<void()> callback) override {
        pending_->exchange->on_abandoned(std::move(callback));
    }
    void read_body(std::function<void(http::BodyPiece)> callback) override {
        pending_->exchange->read_body(std::move(callback));
    }

private:
    Pipeline& pipeline_;
    std::unique_ptr<Pending> pending_;
    bool counts_;
};

std::unique_ptr<http::Exchange> Pipeline::watch(std::unique_ptr<Pending> pending) {
    return std::make_unique<Watched>(*this, std::move(pending));
}

}  // namespace backstay::serve
