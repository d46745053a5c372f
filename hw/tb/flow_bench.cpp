// Drives modules with any number of ready/valid inputs and outputs, all in one Verilated `bench`, with random pauses on
// every port, and writes down every handshake of every cycle. It knows nothing of the modules: test/support/flow.ts
// makes the bench, judges the answers, and holds the handshakes against the modules' cycle models.
//
//   flow_bench IN OUT SEED PAUSE_S PAUSE_M SHY
//
//   PAUSE_S, PAUSE_M  greatest chance of a pause per cycle, in percent; 0 = never
//   SHY               1: m_ready rises only after m_valid, which catches a module that waits for m_ready
//
// IN, text, one word per token (port p of all inputs is bit p of all_s_valid, and so on):
//   duts D inputs NI outputs NO
//   NI times:  DUT BIT WORD WORDS N   and N hexadecimal beats
//   NO times:  DUT BIT WORD WORDS N   (N: beats expected)
// OUT:
//   dut I, then  t A.B.C.D ...  (a cycle: hexadecimal masks of inputs offered, outputs ready, inputs taken, outputs given),
//   o BIT HEX (a beat given),  v TEXT (a rule broken),  f BIT (flag at the end)
//
// Rules checked in every cycle: m_valid does not wait for m_ready; once high it stays, with the same data, until taken.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "Vbench.h"
#include "verilated.h"

using Words = std::vector<uint32_t>;

struct Random {
  uint64_t state;
  uint32_t next() {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return uint32_t(state >> 32);
  }
  bool chance(unsigned percent) { return next() % 100 < percent; }
};

// The chance of a pause, drawn anew now and then, so that a port sees bursts as well as droughts.
struct Pauses {
  unsigned greatest = 0, current = 0, left = 0;
  bool draw(Random& random) {
    if (greatest == 0) return false;
    if (left-- == 0) current = random.next() % (greatest + 1), left = random.next() % 64;
    return random.chance(current);
  }
};

struct Port {
  int dut, bit, word, words;
  size_t expected;
  Random random;
  Pauses pauses;
  std::vector<Words> beats;  // of an input

  size_t moved = 0;
  bool offering = false;             // an input
  bool taking = false, held = false;  // an output
  Words held_data;
};

struct Dut {
  std::string trace, log;
  int violations = 0;
  unsigned offered = 0, ready = 0, taken = 0, given = 0;

  void violation(const char* text, uint64_t cycle) {
    if (violations++ < 5) log += std::string("v ") + text + " in cycle " + std::to_string(cycle) + "\n";
  }
};

template <class Wide> static bool get(const Wide& wide, size_t i) { return wide.data()[i / 32] >> (i % 32) & 1; }

template <class Wide> static void set(Wide& wide, size_t i, bool value) {
  uint32_t& word = wide.data()[i / 32];
  word = (word & ~(1u << (i % 32))) | (uint32_t(value) << (i % 32));
}

static Words parse(const std::string& hex, int words) {
  Words value(words, 0);
  int bit = 0;
  for (size_t i = hex.size(); i-- > 0; bit += 4) {
    const char c = hex[i];
    value.at(bit / 32) |= uint32_t(c <= '9' ? c - '0' : c - 'a' + 10) << (bit % 32);
  }
  return value;
}

static std::string print(const Words& value) {
  std::string text;
  char digits[9];
  for (size_t i = value.size(); i-- > 0;) snprintf(digits, sizeof digits, "%08x", value[i]), text += digits;
  return text;
}

int main(int argc, char** argv) {
  if (argc != 7) return std::cerr << "flow_bench IN OUT SEED PAUSE_S PAUSE_M SHY\n", 2;
  std::ifstream in(argv[1]);
  const uint64_t seed = strtoull(argv[3], nullptr, 10);
  const unsigned pause_s = atoi(argv[4]), pause_m = atoi(argv[5]);
  const bool shy = atoi(argv[6]);

  std::string word;
  size_t n_duts, n_in, n_out;
  in >> word >> n_duts >> word >> n_in >> word >> n_out;
  std::vector<Dut> duts(n_duts);
  std::vector<Port> ins(n_in), outs(n_out);
  uint64_t salt = 1;
  auto read = [&](Port& port, unsigned pause) {
    in >> port.dut >> port.bit >> port.word >> port.words >> port.expected;
    port.random.state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ salt++ * 0xd1342543de82ef95ull;
    for (int k = 0; k < 8; k++) port.random.next();
    port.pauses.greatest = pause;
  };
  for (Port& port : ins) {
    read(port, pause_s);
    for (size_t k = 0; k < port.expected; k++) in >> word, port.beats.push_back(parse(word, port.words));
  }
  for (Port& port : outs) read(port, pause_m);
  if (!in) return std::cerr << "flow_bench: bad input file\n", 2;

  auto dut = std::make_unique<Vbench>();

  auto beat_of = [&](const Port& port) {
    const uint32_t* at = dut->all_m_data.data() + port.word;
    return Words(at, at + port.words);
  };

  // One cycle; `recorded` says whether it belongs to the run or only makes the registers dirty before the reset.
  auto step = [&](uint64_t cycle, bool recorded) {
    for (size_t i = 0; i < n_in; i++) {
      Port& port = ins[i];
      if (!port.offering && port.moved < port.beats.size()) port.offering = !port.pauses.draw(port.random);
      const uint32_t* data = port.offering ? port.beats[port.moved].data() : nullptr;
      for (int k = 0; k < port.words; k++)
        dut->all_s_data.data()[port.word + k] = data ? data[k] : port.random.next();
      set(dut->all_s_valid, i, port.offering);
    }
    for (size_t i = 0; i < n_out; i++) {
      Port& port = outs[i];
      port.taking = !port.pauses.draw(port.random) && (!shy || port.held);
      set(dut->all_m_ready, i, !port.taking);
    }
    // First with m_ready the other way round: valid and data must not care.
    dut->clk = 0;
    dut->eval();
    std::vector<bool> valid(n_out);
    std::vector<Words> data(n_out);
    for (size_t i = 0; i < n_out; i++) {
      valid[i] = get(dut->all_m_valid, i), data[i] = beat_of(outs[i]);
      set(dut->all_m_ready, i, outs[i].taking);
    }
    dut->eval();
    for (Dut& d : duts) d.offered = d.ready = d.taken = d.given = 0;
    for (size_t i = 0; i < n_out; i++) {
      Port& port = outs[i];
      Dut& d = duts[port.dut];
      const bool m_valid = get(dut->all_m_valid, i);
      const Words now = beat_of(port);
      if (recorded) {
        if (m_valid != valid[i]) d.violation("m_valid depends on m_ready", cycle);
        if (m_valid && now != data[i]) d.violation("m_data depends on m_ready", cycle);
        if (port.held && !m_valid) d.violation("m_valid fell before the beat was taken", cycle);
        if (port.held && m_valid && now != port.held_data) d.violation("m_data changed while it waited", cycle);
      }
      d.ready |= unsigned(port.taking) << port.bit;
      if (m_valid && port.taking) {
        if (recorded) d.log += "o " + std::to_string(port.bit) + " " + print(now) + "\n";
        d.given |= 1u << port.bit;
        port.moved++;
      }
      port.held = m_valid && !port.taking;
      port.held_data = now;
    }
    for (size_t i = 0; i < n_in; i++) {
      Port& port = ins[i];
      Dut& d = duts[port.dut];
      d.offered |= unsigned(port.offering) << port.bit;
      if (port.offering && get(dut->all_s_ready, i)) {
        d.taken |= 1u << port.bit;
        port.offering = false;
        port.moved++;
      }
    }
    if (recorded) {
      for (Dut& d : duts) {
        char text[64];
        snprintf(text, sizeof text, " %x.%x.%x.%x", d.offered, d.ready, d.taken, d.given);
        d.trace += text;
      }
    }
    dut->clk = 1;
    dut->eval();
  };

  auto reset = [&] {
    dut->rst = 1;
    for (Port& port : ins) port.moved = port.beats.size(), port.offering = false;
    for (int i = 0; i < 2; i++) step(0, false);
    dut->rst = 0;
    for (Port& port : ins) port.moved = 0, port.offering = false;
    for (Port& port : outs) port.moved = 0, port.held = false;
  };

  reset();
  for (int i = 0; i < 47; i++) step(0, false);
  reset();

  uint64_t cycle = 0, last_progress = 0;
  size_t total = 0, moved = 0;
  for (const Port& port : outs) total += port.expected;
  for (;;) {
    step(cycle++, true);
    size_t received = 0, now = 0;
    bool too_many = false;
    for (const Port& port : ins) now += port.moved;
    for (const Port& port : outs) {
      received += port.moved;
      too_many |= port.moved > port.expected + 100;
    }
    now += received;
    if (too_many) break;
    if (now != moved) moved = now, last_progress = cycle;
    // Some more cycles, in which nothing may come out.
    if (cycle > last_progress + (received >= total ? 60 : 3000)) break;
  }

  std::ofstream out(argv[2]);
  for (size_t i = 0; i < n_duts; i++)
    out << "dut " << i << "\nt" << duts[i].trace << "\n" << duts[i].log << "f " << get(dut->all_flag, i) << "\n";
  dut->final();
  return out ? 0 : 2;
}
