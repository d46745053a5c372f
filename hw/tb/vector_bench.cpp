// Feeds a Verilated `bench` one vector a cycle and writes down what it answers, seen before the clock's edge.
// For what has no handshake; test/support/hw.ts makes the bench and judges the answers.
//
//   vector_bench IN OUT       IN: a hexadecimal vector a line, for all_x; OUT: likewise, all_y

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "Vbench.h"
#include "verilated.h"

template <class Wide> static constexpr int words(const Wide&) { return sizeof(Wide) / sizeof(uint32_t); }

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "vector_bench IN OUT\n", 2;
  std::ifstream in(argv[1]);
  FILE* out = fopen(argv[2], "w");
  auto dut = std::make_unique<Vbench>();

  std::string hex;
  while (in >> hex) {
    for (int i = 0; i < words(dut->all_x); i++) dut->all_x.data()[i] = 0;
    int bit = 0;
    for (size_t i = hex.size(); i-- > 0; bit += 4) {
      const char c = hex[i];
      dut->all_x.data()[bit / 32] |= uint32_t(c <= '9' ? c - '0' : c - 'a' + 10) << (bit % 32);
    }
    dut->clk = 0;
    dut->eval();
    for (int i = words(dut->all_y); i-- > 0;) fprintf(out, "%08x", dut->all_y.data()[i]);
    fprintf(out, "\n");
    dut->clk = 1;
    dut->eval();
  }
  dut->final();
  return fclose(out) == 0 ? 0 : 2;
}
