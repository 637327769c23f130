// How a text travels as SMS: in GSM-7 when every character is in that alphabet (3GPP TS 23.038), else in UCS-2; and in how many parts.
// A part never ends within a character. Pure.
#pragma once

#include <string_view>

namespace pulse::queue {

struct Segments {
    bool gsm7;
    int count;       // parts, each billed as a message; 0 for an empty text
    int characters;  // as a provider's limit counts them: UTF-16 code units
};

Segments segments(std::string_view text);

}  // namespace pulse::queue
