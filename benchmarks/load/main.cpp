// mainspring-load: the benchmark's load generator, native so that the server under test is the bottleneck.
// Prints one JSON object; exits with 1 and a message when a connection fails, with 2 when the options are wrong.
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <stdexcept>

#include "generator.hpp"
#include "options.hpp"

namespace {

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    throw std::runtime_error("cannot run on processor " + std::to_string(cpu));
}

void hold_until_end_of_input() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

}  // namespace

int main(int count, char** words) {
  load::Options options;
  try {
    options = load::parse_options(count, words);
  } catch (const std::exception& error) {
    std::cerr << "mainspring-load: " << error.what() << '\n' << load::usage;
    return 2;
  }
  try {
    raise_descriptor_limit();
    if (options.cpu >= 0) pin(options.cpu);
    load::Generator generator(options);
    generator.connect();
    if (options.mode == load::Mode::idle) {
      std::cout << "{\"connections\": " << options.connections << "}" << std::endl;
      hold_until_end_of_input();
      return 0;
    }
    generator.run();
    std::cout << generator.report() << std::endl;
    if (generator.errors() > 0) throw std::runtime_error(generator.first_error());
  } catch (const std::exception& error) {
    std::cerr << "mainspring-load: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
