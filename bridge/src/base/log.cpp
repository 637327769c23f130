// Lines are rendered here and handed to one spdlog sink on stderr, which makes a line one write.
#include "base/log.hpp"

#include <cmath>
#include <memory>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/clock.hpp"
#include "base/json.hpp"

namespace bridge::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warn: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view name(Level level) {
    switch (level) {
        case Level::debug: return "debug";
        case Level::info: return "info";
        case Level::warn: return "warn";
        case Level::error: return "error";
    }
    return "info";
}

spdlog::logger &logger() {
    static const auto instance = [] {
        auto made = std::make_shared<spdlog::logger>("bridge", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(spdlog::level::info);
        made->flush_on(spdlog::level::debug);
        return made;
    }();
    return *instance;
}

void append_value(std::string &out, const Field &field) {
    if (const auto *text = std::get_if<std::string_view>(&field.value)) {
        json::append_quoted(out, json::valid_utf8(*text) ? *text : std::string_view("(not UTF-8)"));
    } else if (const auto *whole = std::get_if<std::int64_t>(&field.value)) {
        out += std::to_string(*whole);
    } else if (const auto *real = std::get_if<double>(&field.value)) {
        out += std::isfinite(*real) ? std::to_string(*real) : "null";
    } else {
        out += std::get<bool>(field.value) ? "true" : "false";
    }
}

void write(Level level, std::string_view message, Fields fields) {
    if (!enabled(level)) return;
    const std::string line = render(level, message, fields, iso8601(std::chrono::system_clock::now()));
    logger().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void set_level(Level level) { logger().set_level(to_spdlog(level)); }
bool enabled(Level level) { return logger().should_log(to_spdlog(level)); }

std::string render(Level level, std::string_view message, Fields fields, std::string_view timestamp) {
    std::string out = "{\"at\":";
    json::append_quoted(out, timestamp);
    out += ",\"level\":";
    json::append_quoted(out, name(level));
    out += ",\"message\":";
    json::append_quoted(out, message);
    for (const Field &field : fields) {
        if (field.key.empty()) continue;
        out += ',';
        json::append_quoted(out, field.key);
        out += ':';
        append_value(out, field);
    }
    out += '}';
    return out;
}

void debug(std::string_view message, Fields fields) { write(Level::debug, message, fields); }
void info(std::string_view message, Fields fields) { write(Level::info, message, fields); }
void warn(std::string_view message, Fields fields) { write(Level::warn, message, fields); }
void error(std::string_view message, Fields fields) { write(Level::error, message, fields); }

}  // namespace bridge::log
