// Drives many ready/valid lanes of one Verilated `bench` at once, with random pauses on both sides, and writes down
// what came out and when. It knows nothing of the modules: test/support/hw.ts makes the bench and judges the answers.
//
//   stream_bench IN OUT SEED PAUSE_S PAUSE_M SHY
//
//   PAUSE_S, PAUSE_M  greatest chance of a pause per cycle, in percent; 0 = never
//   SHY               1: m_ready rises only after m_valid, which catches a module that waits for m_ready
//
// IN, text, one word per token:
//   lanes N
//   for each lane:  lane S_WORD S_WORDS M_WORD M_WORDS N_IN N_OUT   and N_IN hexadecimal beats
// OUT:
//   lane I, then  i CYCLE (beat accepted), o CYCLE HEX (beat delivered), v TEXT (a rule broken), f BIT (flag at the end)
//
// Rules checked in every cycle: m_valid does not wait for m_ready; once high it stays, with the same data, until taken.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

// The chance of a pause, drawn anew now and then, so that a lane sees bursts as well as droughts.
struct Pauses {
  unsigned greatest, current = 0, left = 0;
  bool draw(Random& random) {
    if (greatest == 0) return false;
    if (left-- == 0) current = random.next() % (greatest + 1), left = random.next() % 64;
    return random.chance(current);
  }
};

struct Lane {
  int s_word, s_words, m_word, m_words;
  size_t n_out;
  std::vector<Words> beats;
  Random random;
  Pauses pause_s, pause_m;

  size_t sent = 0, received = 0;
  bool offering = false, taking = false, held = false;
  Words held_data;
  std::string log;
  int violations = 0;

  void violation(const char* text, uint64_t cycle) {
    if (violations++ < 5) log += std::string("v ") + text + " in cycle " + std::to_string(cycle) + "\n";
  }
};

template <class Wide> static bool bit(const Wide& wide, size_t i) { return wide.data()[i / 32] >> (i % 32) & 1; }

template <class Wide> static void set_bit(Wide& wide, size_t i, bool value) {
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

static std::string print(const uint32_t* value, int words) {
  std::string text;
  char digits[9];
  for (int i = words; i-- > 0;) {
    snprintf(digits, sizeof digits, "%08x", value[i]);
    text += digits;
  }
  return text;
}

int main(int argc, char** argv) {
  if (argc != 7) return std::cerr << "stream_bench IN OUT SEED PAUSE_S PAUSE_M SHY\n", 2;
  std::ifstream in(argv[1]);
  const uint64_t seed = strtoull(argv[3], nullptr, 10);
  const unsigned pause_s = atoi(argv[4]), pause_m = atoi(argv[5]);
  const bool shy = atoi(argv[6]);

  std::string word;
  size_t n_lanes;
  in >> word >> n_lanes;
  std::vector<Lane> lanes(n_lanes);
  for (size_t i = 0; i < n_lanes; i++) {
    Lane& lane = lanes[i];
    size_t n_in;
    in >> word >> lane.s_word >> lane.s_words >> lane.m_word >> lane.m_words >> n_in >> lane.n_out;
    lane.random.state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (i + 1) * 0xd1342543de82ef95ull;
    for (int k = 0; k < 8; k++) lane.random.next();
    lane.pause_s.greatest = pause_s, lane.pause_m.greatest = pause_m;
    for (size_t k = 0; k < n_in; k++) in >> word, lane.beats.push_back(parse(word, lane.s_words));
  }
  if (!in) return std::cerr << "stream_bench: bad input file\n", 2;

  auto dut = std::make_unique<Vbench>();

  // One cycle; `recorded` says whether it belongs to the run or only makes the registers dirty before the reset.
  auto step = [&](uint64_t cycle, bool recorded) {
    for (size_t i = 0; i < n_lanes; i++) {
      Lane& lane = lanes[i];
      if (!lane.offering && lane.sent < lane.beats.size()) lane.offering = !lane.pause_s.draw(lane.random);
      const uint32_t* data = lane.offering ? lane.beats[lane.sent].data() : nullptr;
      for (int k = 0; k < lane.s_words; k++)
        dut->all_s_data.data()[lane.s_word + k] = data ? data[k] : lane.random.next();
      set_bit(dut->all_s_valid, i, lane.offering);
      lane.taking = !lane.pause_m.draw(lane.random) && (!shy || lane.held);
      set_bit(dut->all_m_ready, i, !lane.taking);
    }
    // First with m_ready the other way round: valid and data must not care.
    dut->clk = 0;
    dut->eval();
    std::vector<bool> valid(n_lanes);
    std::vector<Words> data(n_lanes);
    for (size_t i = 0; i < n_lanes; i++) {
      Lane& lane = lanes[i];
      valid[i] = bit(dut->all_m_valid, i);
      const uint32_t* at = dut->all_m_data.data() + lane.m_word;
      data[i].assign(at, at + lane.m_words);
      set_bit(dut->all_m_ready, i, lane.taking);
    }
    dut->eval();
    for (size_t i = 0; i < n_lanes; i++) {
      Lane& lane = lanes[i];
      const bool m_valid = bit(dut->all_m_valid, i);
      const uint32_t* at = dut->all_m_data.data() + lane.m_word;
      const Words now(at, at + lane.m_words);
      if (recorded) {
        if (m_valid != valid[i]) lane.violation("m_valid depends on m_ready", cycle);
        if (m_valid && now != data[i]) lane.violation("m_data depends on m_ready", cycle);
        if (lane.held && !m_valid) lane.violation("m_valid fell before the beat was taken", cycle);
        if (lane.held && m_valid && now != lane.held_data) lane.violation("m_data changed while it waited", cycle);
      }
      if (m_valid && lane.taking) {
        if (recorded) lane.log += "o " + std::to_string(cycle) + " " + print(now.data(), lane.m_words) + "\n";
        lane.received++;
      }
      lane.held = m_valid && !lane.taking;
      lane.held_data = now;
      if (lane.offering && bit(dut->all_s_ready, i)) {
        if (recorded) lane.log += "i " + std::to_string(cycle) + "\n";
        lane.offering = false;
        lane.sent++;
      }
    }
    dut->clk = 1;
    dut->eval();
  };

  auto reset = [&] {
    dut->rst = 1;
    for (Lane& lane : lanes) lane.sent = lane.beats.size();
    for (int i = 0; i < 2; i++) step(0, false);
    dut->rst = 0;
    for (Lane& lane : lanes) lane.sent = lane.received = 0, lane.offering = lane.held = false;
  };

  reset();
  for (int i = 0; i < 47; i++) step(0, false);
  for (Lane& lane : lanes) lane.offering = false;
  reset();

  uint64_t cycle = 0, last_progress = 0;
  size_t total = 0, moved = 0;
  for (const Lane& lane : lanes) total += lane.n_out;
  for (;;) {
    step(cycle++, true);
    size_t received = 0, now = 0;
    bool too_many = false;
    for (const Lane& lane : lanes) {
      received += lane.received, now += lane.received + lane.sent;
      too_many |= lane.received > lane.n_out + 100;
    }
    if (too_many) break;
    if (now != moved) moved = now, last_progress = cycle;
    // Some more cycles, in which nothing may come out.
    if (cycle > last_progress + (received >= total ? 100 : 20000)) break;
  }

  std::ofstream out(argv[2]);
  for (size_t i = 0; i < n_lanes; i++)
    out << "lane " << i << "\n" << lanes[i].log << "f " << bit(dut->all_flag, i) << "\n";
  dut->final();
  return out ? 0 : 2;
}
