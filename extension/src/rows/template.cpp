// Parsing and rendering of templates.
#include "rows/template.hpp"

#include "names/room_value.hpp"

#include "json/check.hpp"
#include "json/slice.hpp"
#include "rows/forms.hpp"

#include "pg/pure.hpp"

namespace pulse::rows {

namespace {

const char *const kBraceHint = "Write a placeholder as {column}, {old.column} or {column:text}, and a plain brace as {{ or }}.";

// "old.status:text" → its parts.
std::optional<Problem> parse_placeholder(std::string_view inner, Placeholder &placeholder, bool &as_text) {
    const std::string written = "{" + std::string(inner) + "}";
    as_text = false;
    if (inner.starts_with("old.")) {
        placeholder.row = RowOf::kOld;
        inner.remove_prefix(4);
    } else if (inner.starts_with("new.")) {
        placeholder.row = RowOf::kNew;
        inner.remove_prefix(4);
    }
    if (const size_t colon = inner.rfind(':'); colon != std::string_view::npos) {
        if (inner.substr(colon + 1) != "text")
            return Problem{"unknown form \"" + excerpt(inner.substr(colon + 1)) + "\" in the placeholder \"" + excerpt(written) + "\"",
                           "The only form is text, as in {id:text}."};
        as_text = true;
        inner = inner.substr(0, colon);
    }
    if (inner.empty()) return Problem{"placeholder \"" + excerpt(written) + "\" names no column", kBraceHint};
    placeholder.column = std::string(inner);
    return std::nullopt;
}

// Cuts text into parts. `raw_json`: text stands between the quotes of a JSON string and stays escaped.
std::optional<Problem> parse_parts(std::string_view text, bool raw_json, Placeholders &placeholders, TextTemplate &out, bool &as_text) {
    std::string literal;
    const auto flush = [&] {
        if (!literal.empty()) out.push_back({std::move(literal), -1});
        literal.clear();
    };
    as_text = false;
    for (size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c != '{' && c != '}') {
            literal += c;
            continue;
        }
        if (at + 1 < text.size() && text[at + 1] == c) {
            literal += c;
            ++at;
            continue;
        }
        const size_t close = c == '{' ? text.find('}', at) : std::string_view::npos;
        if (close == std::string_view::npos)
            return Problem{std::string("single \"") + c + "\" in the template \"" + excerpt(text) + "\"", kBraceHint};
        std::string_view inner = text.substr(at + 1, close - at - 1);
        const auto decoded = raw_json ? json::unescape("\"" + std::string(inner) + "\"") : std::string(inner);
        Placeholder placeholder;
        if (!decoded) return Problem{"placeholder \"{" + excerpt(inner) + "}\" names no column", kBraceHint};
        if (auto problem = parse_placeholder(*decoded, placeholder, as_text)) return problem;
        flush();
        out.push_back({{}, placeholders.add(placeholder)});
        at = close;
    }
    flush();
    return std::nullopt;
}

// Reads compact, valid JSON, so it never looks for errors of syntax. Depth is bounded by compact_json.
class PayloadParser {
public:
    PayloadParser(std::string_view json, Placeholders &placeholders) : json_(json), placeholders_(placeholders) {}

    std::optional<Problem> value(JsonNode &out) {
        switch (json_[at_]) {
            case '{': return object(out);
            case '[': return array(out);
            case '"': return string(out);
            default: {
                const size_t end = json_.find_first_of(",]}", at_);
                out.kind = JsonNode::Kind::kRaw;
                out.raw = std::string(json_.substr(at_, end - at_));
                at_ = end;
                return std::nullopt;
            }
        }
    }

private:
    // The text between the quotes; stands after the closing one then.
    std::string_view string_text() {
        const size_t start = ++at_;
        while (json_[at_] != '"') at_ += json_[at_] == '\\' ? 2 : 1;
        return json_.substr(start, at_++ - start);
    }

    std::optional<Problem> string(JsonNode &out) {
        bool as_text;
        if (auto problem = parse_parts(string_text(), true, placeholders_, out.parts, as_text)) return problem;
        if (out.parts.size() == 1 && out.parts[0].ref >= 0) {
            out.kind = JsonNode::Kind::kValue;
            out.ref = out.parts[0].ref;
            out.as_text = as_text;
            out.parts.clear();
        } else {
            out.kind = JsonNode::Kind::kString;
        }
        return std::nullopt;
    }

    std::optional<Problem> object(JsonNode &out) {
        out.kind = JsonNode::Kind::kObject;
        ++at_;
        while (json_[at_] != '}') {
            if (json_[at_] == ',') ++at_;
            std::string_view key = string_text();
            ++at_;  // the colon
            Member member;
            member.optional = key.ends_with('?');
            if (member.optional) key.remove_suffix(1);
            member.key = "\"" + std::string(key) + "\"";
            if (auto problem = value(member.value)) return problem;
            out.members.push_back(std::move(member));
        }
        ++at_;
        return std::nullopt;
    }

    std::optional<Problem> array(JsonNode &out) {
        out.kind = JsonNode::Kind::kArray;
        ++at_;
        while (json_[at_] != ']') {
            if (json_[at_] == ',') ++at_;
            JsonNode item;
            if (auto problem = value(item)) return problem;
            out.items.push_back(std::move(item));
        }
        ++at_;
        return std::nullopt;
    }

    std::string_view json_;
    Placeholders &placeholders_;
    size_t at_ = 0;
};

bool any_null(const TextTemplate &parts, std::span<const Rendered> values) {
    for (const Part &part : parts)
        if (part.ref >= 0 && values[static_cast<size_t>(part.ref)].null) return true;
    return false;
}

bool is_null(const JsonNode &node, std::span<const Rendered> values) {
    switch (node.kind) {
        case JsonNode::Kind::kRaw: return node.raw == "null";
        case JsonNode::Kind::kValue: return values[static_cast<size_t>(node.ref)].null;
        case JsonNode::Kind::kString: return any_null(node.parts, values);
        default: return false;
    }
}

}  // namespace

std::string Placeholder::written() const {
    return std::string("{") + (row == RowOf::kOld ? "old." : row == RowOf::kNew ? "new." : "") + column + "}";
}

int Placeholders::add(const Placeholder &placeholder) {
    for (size_t i = 0; i < all_.size(); ++i)
        if (all_[i] == placeholder) return static_cast<int>(i);
    all_.push_back(placeholder);
    return static_cast<int>(all_.size() - 1);
}

std::optional<Problem> parse_text(std::string_view text, Placeholders &placeholders, TextTemplate &out) {
    bool as_text;  // text is text already
    return parse_parts(text, false, placeholders, out, as_text);
}

std::optional<Problem> parse_payload(std::string_view json, Placeholders &placeholders, JsonNode &out, std::string_view what) {
    const std::string hint =
        "A template of " + std::string(what) + " is a JSON object such as {\"orderId\":\"{id}\",\"note?\":\"{note}\"}.";
    std::string compact;
    if (auto error = json::check(json, compact))
        return Problem{std::string(what) + " template is not valid JSON: " + std::string(error->message) + " at byte " +
                           std::to_string(error->offset),
                       hint};
    if (json::kind(compact) != json::Kind::kObject) return Problem{std::string(what) + " template is not a JSON object", hint};
    return PayloadParser(compact, placeholders).value(out);
}

bool render_room(const TextTemplate &room, std::span<const Rendered> values, std::string &out) {
    if (any_null(room, values)) return false;
    for (const Part &part : room) {
        if (part.ref < 0)
            out += part.literal;
        else
            append_room_value(out, values[static_cast<size_t>(part.ref)].text);
    }
    return true;
}

bool render_text(const TextTemplate &text, std::span<const Rendered> values, std::string &out) {
    if (any_null(text, values)) return false;
    for (const Part &part : text) out += part.ref < 0 ? part.literal : values[static_cast<size_t>(part.ref)].text;
    return true;
}

void render_json(const JsonNode &node, std::span<const Rendered> values, std::string &out) {
    switch (node.kind) {
        case JsonNode::Kind::kRaw: out += node.raw; break;
        case JsonNode::Kind::kValue: {
            const Rendered &value = values[static_cast<size_t>(node.ref)];
            if (value.null)
                out += "null";
            else if (value.string || node.as_text)
                json::append_quoted(out, value.text);
            else
                out += value.text;
            break;
        }
        case JsonNode::Kind::kString:
            if (any_null(node.parts, values)) {
                out += "null";
                break;
            }
            out += '"';
            for (const Part &part : node.parts) {
                if (part.ref < 0)
                    out += part.literal;
                else
                    json::append_escaped(out, values[static_cast<size_t>(part.ref)].text);
            }
            out += '"';
            break;
        case JsonNode::Kind::kObject: {
            bool first = true;
            out += '{';
            for (const Member &member : node.members) {
                if (member.optional && is_null(member.value, values)) continue;
                if (!first) out += ',';
                first = false;
                out += member.key;
                out += ':';
                render_json(member.value, values, out);
            }
            out += '}';
            break;
        }
        case JsonNode::Kind::kArray: {
            out += '[';
            for (size_t i = 0; i < node.items.size(); ++i) {
                if (i > 0) out += ',';
                render_json(node.items[i], values, out);
            }
            out += ']';
            break;
        }
    }
}

}  // namespace pulse::rows
