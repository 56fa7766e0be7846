#include "report.h"

#include <stdio.h>
#include <string.h>

#include <mutex>
#include <string>
#include <vector>

namespace pnsim {

namespace {

constexpr size_t MOST = 500;
std::mutex lock;
std::vector<Finding>& all() {
  static auto& findings = *new std::vector<Finding>;  // read while the program ends, so never destroyed
  return findings;
}

bool same_place(const Where& a, const Where& b) {
  if (a.file || b.file) return a.line == b.line && a.file && b.file && strcmp(a.file, b.file) == 0;
  return a.pc == b.pc;
}

void quote(std::string& out, const char* text) {
  out += '"';
  for (; *text; ++text) {
    const unsigned char c = static_cast<unsigned char>(*text);
    if (c == '"' || c == '\\') (out += '\\') += char(c);
    else if (c < 0x20) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out += escaped;
    } else out += char(c);
  }
  out += '"';
}

void place(std::string& out, const char* key, const Where& w) {
  char number[64];
  out += '"';
  out += key;
  if (w.file) {
    snprintf(number, sizeof number, "\":{\"line\":%d,\"file\":", w.line);
    out += number;
    quote(out, w.file);
    out += '}';
  } else {
    snprintf(number, sizeof number, "\":{\"pc\":%llu}", (unsigned long long)reinterpret_cast<uintptr_t>(w.pc));
    out += number;
  }
  out += ',';
}

void triple(std::string& out, const char* key, const unsigned* v) {
  char text[96];
  snprintf(text, sizeof text, "\"%s\":[%u,%u,%u],", key, v[0], v[1], v[2]);
  out += text;
}

}  // namespace

bool reported(const char* kind, const Where& at, const char* array) {
  for (Finding& f : all()) {
    if (strcmp(f.kind, kind) || !same_place(f.at, at) || strcmp(f.array, array)) continue;
    ++f.times;
    return true;
  }
  return false;
}

void report(const Finding& finding) {
  std::lock_guard<std::mutex> hold(lock);
  if (reported(finding.kind, finding.at, finding.array) || all().size() >= MOST) return;
  all().push_back(finding);
}

}  // namespace pnsim

extern "C" void pnsim_report_clear(void) { pnsim::all().clear(); }

extern "C" const char* pnsim_report(void) {
  static std::string out;
  out = "[";
  char text[256];
  for (const pnsim::Finding& f : pnsim::all()) {
    if (out.size() > 1) out += ',';
    out += '{';
    pnsim::place(out, "at", f.at);
    if (f.other_at.file || f.other_at.pc) pnsim::place(out, "other_at", f.other_at);
    pnsim::triple(out, "block", f.block);
    pnsim::triple(out, "thread", f.thread);
    if (f.has_other) {
      pnsim::triple(out, "other_block", f.other_block);
      pnsim::triple(out, "other_thread", f.other_thread);
    }
    if (f.has_index) {
      snprintf(text, sizeof text, "\"index\":%lld,\"extent\":%lld,\"distance\":%lld,", f.index, f.extent, f.distance);
      out += text;
    }
    snprintf(text, sizeof text, "\"size\":%u,\"write\":%s,\"other_write\":%s,\"mask\":%u,\"missing\":%u,\"times\":%llu,",
             f.size, f.write ? "true" : "false", f.other_write ? "true" : "false", f.mask, f.missing,
             (unsigned long long)f.times);
    out += text;
    const char* strings[][2] = {{"array", f.array}, {"space", f.space}, {"text", f.text}, {"detail", f.detail}};
    for (auto& s : strings) {
      out += '"';
      out += s[0];
      out += "\":";
      pnsim::quote(out, s[1]);
      out += ',';
    }
    out += "\"kind\":";
    pnsim::quote(out, f.kind);
    out += '}';
  }
  out += ']';
  return out.c_str();
}
