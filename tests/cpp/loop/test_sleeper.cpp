#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "loop/sleeper.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <thread>

using mainspring::Sleeper;
using std::chrono::milliseconds;

TEST_CASE("what was woken before does not sleep") {
  Sleeper sleeper;
  sleeper.wake();
  sleeper.sleep();
  Sleeper later;
  CHECK(later.wake_later() != nullptr);
  later.sleep();
}

TEST_CASE("a thread that naps is woken in two steps, one that sleeps soundly in one") {
  for (const auto pause : {milliseconds(0), milliseconds(50)}) {
    Sleeper sleeper;
    std::thread thread([&] { sleeper.sleep(); });
    std::this_thread::sleep_for(pause);
    if (const auto address = sleeper.wake_later()) Sleeper::finish(address);
    thread.join();
  }
}

TEST_CASE("a thread that sleeps soundly owes nothing") {
  Sleeper sleeper;
  std::thread thread([&] { sleeper.sleep(); });
  // Whatever the machine does meanwhile, the nap ends.
  std::this_thread::sleep_for(milliseconds(500));
  CHECK(sleeper.wake_later() == nullptr);
  thread.join();
}

TEST_CASE("a nap ends although nobody finishes the wake-up") {
  Sleeper sleeper;
  std::thread thread([&] { sleeper.sleep(); });
  std::this_thread::sleep_for(milliseconds(1));
  static_cast<void>(sleeper.wake_later());
  thread.join();
}

TEST_CASE("a wake-up may be finished when the sleeper is gone") {
  auto sleeper = std::make_unique<Sleeper>();
  const auto address = sleeper->wake_later();
  sleeper->sleep();
  sleeper.reset();
  Sleeper::finish(address);
}

TEST_CASE("what was woken before does not spin, and neither does it sleep") {
  Sleeper sleeper(true);
  sleeper.wake();
  CHECK(sleeper.spin());
  sleeper.sleep();
}

TEST_CASE("a thread that is not woken while it spins sleeps, and is woken as any other") {
  for (const bool in_two_steps : {false, true}) {
    Sleeper sleeper(true);
    std::atomic<bool> spun{false};
    std::thread thread([&] {
      CHECK_FALSE(sleeper.spin());
      spun = true;
      sleeper.sleep();
    });
    while (!spun) std::this_thread::yield();
    if (!in_two_steps) {
      sleeper.wake();
    } else if (const auto address = sleeper.wake_later()) {
      Sleeper::finish(address);
    }
    thread.join();
  }
}

TEST_CASE("a thread that spins goes ahead when nobody finishes its wake-up") {
  Sleeper sleeper(true);
  CHECK(sleeper.wake_later() != nullptr);
  CHECK(sleeper.spin());
  sleeper.sleep();
}

TEST_CASE("the second step of a wake-up reaches a thread that spins, and may come when it is gone") {
  auto sleeper = std::make_unique<Sleeper>(true);
  const auto address = sleeper->wake_later();
  REQUIRE(address != nullptr);
  Sleeper::finish(address);
  // It would spin for ever.
  CHECK(sleeper->spin(UINT64_MAX));
  sleeper.reset();
  Sleeper::finish(address);
}

TEST_CASE("what was woken at once does not wait for another's second step") {
  Sleeper sleeper(true);
  std::thread thread([&] { CHECK(sleeper.spin(UINT64_MAX)); });
  sleeper.wake();
  thread.join();
}

TEST_CASE("many wake-ups, none lost") {
  constexpr int kTimes = 20'000;
  std::atomic<Sleeper*> waiting{nullptr};
  std::thread thread([&] {
    for (int i = 0; i < kTimes; ++i) {
      const bool spins = i % 3 == 0;
      Sleeper sleeper(spins);
      waiting.store(&sleeper);
      if (spins) static_cast<void>(sleeper.spin());
      sleeper.sleep();
    }
  });
  for (int i = 0; i < kTimes; ++i) {
    Sleeper* sleeper;
    while (!(sleeper = waiting.exchange(nullptr))) std::this_thread::yield();
    if (i % 2) {
      sleeper->wake();
    } else if (const auto address = sleeper->wake_later()) {
      Sleeper::finish(address);
    }
  }
  thread.join();
}
