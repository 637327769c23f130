// Result<T>: a value or an Error, with the names of std::expected (g++ 12 has that only in C++23 mode, clang 14 not at all).
// Never throws. Used by everything that can fail after the loop has started.
#pragma once

#include <cassert>
#include <utility>
#include <variant>

#include "base/error.hpp"

namespace bridge {

template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}
    Result(Errc code, std::string detail = {}) : held_(std::in_place_index<1>, Error{code, std::move(detail), {}}) {}

    bool has_value() const { return held_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T &value() & {
        assert(has_value());
        return *std::get_if<0>(&held_);
    }
    const T &value() const & {
        assert(has_value());
        return *std::get_if<0>(&held_);
    }
    T &&value() && {
        assert(has_value());
        return std::move(*std::get_if<0>(&held_));
    }
    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T &&operator*() && { return std::move(*this).value(); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }

    Error &error() & {
        assert(!has_value());
        return *std::get_if<1>(&held_);
    }
    const Error &error() const & {
        assert(!has_value());
        return *std::get_if<1>(&held_);
    }
    Error &&error() && {
        assert(!has_value());
        return std::move(*std::get_if<1>(&held_));
    }

    T value_or(T other) const & { return has_value() ? value() : std::move(other); }

private:
    std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : failed_(true), error_(std::move(error)) {}
    Result(Errc code, std::string detail = {}) : failed_(true), error_{code, std::move(detail), {}} {}

    bool has_value() const { return !failed_; }
    explicit operator bool() const { return has_value(); }
    Error &error() & {
        assert(failed_);
        return error_;
    }
    const Error &error() const & {
        assert(failed_);
        return error_;
    }
    Error &&error() && {
        assert(failed_);
        return std::move(error_);
    }

private:
    bool failed_ = false;
    Error error_;
};

}  // namespace bridge

// BRIDGE_TRY(name, expression): `name` is the value, or the error goes back to the caller.
#define BRIDGE_TRY(name, ...)                                        \
    auto name##_or_error = (__VA_ARGS__);                            \
    if (!name##_or_error) return std::move(name##_or_error).error(); \
    auto &name = *name##_or_error

// BRIDGE_CHECK(expression): the same for a Result<void>.
#define BRIDGE_CHECK(...)                                                                 \
    do {                                                                                  \
        if (auto or_error = (__VA_ARGS__); !or_error) return std::move(or_error).error(); \
    } while (false)
