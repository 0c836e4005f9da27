#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "loop/waker.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "loop/ready_queue.hpp"

using mainspring::ReadyItem;
using mainspring::ReadyQueue;
using mainspring::Waker;
using mainspring::uv::EventLoop;
using mainspring::uv::Poller;

namespace {

void serve_arrivals(EventLoop& loop) {
  for (Poller* poller : loop.arrivals()) {
    if (const int events = poller->take()) poller->serve(events);
  }
  loop.arrivals().clear();
}

}  // namespace

TEST_CASE("a wake-up before the wait ends it at once") {
  EventLoop loop;
  Waker waker(loop);
  waker.wake();
  loop.wait();
  CHECK(loop.arrivals().size() == 1);
  serve_arrivals(loop);
  // Served, it does not arrive again.
  loop.poll();
  CHECK(loop.arrivals().empty());
}

TEST_CASE("wake-ups from many threads end one wait after another") {
  EventLoop loop;
  Waker waker(loop);
  constexpr int kThreads = 4;
  constexpr int kTimes = 500;
  std::atomic<int> sent{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kTimes; ++n) {
        sent.fetch_add(1);
        waker.wake();
      }
    });
  }
  // The last wake-up comes after the last count.
  do {
    loop.wait();
    serve_arrivals(loop);
  } while (sent.load() < kThreads * kTimes);
  for (std::thread& thread : threads) thread.join();
}

// What call_soon_threadsafe does, with a mutex in the place of the GIL: threads append to the queue of a loop and wake
// it only when it waits; the loop takes everything and waits when there is nothing. Several loops give each other work.
TEST_CASE("several loops in threads: nothing that one gives another is lost, and each order is kept") {
  struct Inbox {
    EventLoop loop;
    Waker waker{loop};
    std::mutex lock;
    ReadyQueue queue;
    bool waiting = false;
  };
  constexpr int kLoops = 3;
  constexpr int kTimes = 2000;
  std::array<Inbox, kLoops> inboxes;
  std::array<std::array<int, kLoops>, kLoops> received{};
  std::array<std::array<std::array<int, kTimes>, kLoops>, kLoops> items{};
  std::atomic<int> disorder{0};

  const auto give = [&](int from, int to, int number) {
    Inbox& inbox = inboxes[to];
    int& item = items[from][to][number];
    item = number;
    const std::lock_guard hold(inbox.lock);
    inbox.queue.push(ReadyItem(&item, static_cast<unsigned>(from)));
    if (inbox.waiting) inbox.waker.wake();
    inbox.waiting = false;
  };
  const auto run = [&](int self) {
    Inbox& inbox = inboxes[self];
    int given = 0;
    int taken = 0;
    while (taken < kLoops * kTimes || given < kTimes) {
      if (given < kTimes) {
        for (int to = 0; to < kLoops; ++to) give(self, to, given);
        ++given;
      }
      bool wait = false;
      {
        const std::lock_guard hold(inbox.lock);
        while (!inbox.queue.empty()) {
          const ReadyItem item = inbox.queue.pop();
          int& next = received[self][item.kind()];
          if (*item.as<int>() != next) disorder.fetch_add(1);
          ++next;
          ++taken;
        }
        wait = inbox.waiting = given == kTimes && taken < kLoops * kTimes;
      }
      if (wait) {
        inbox.loop.wait();
        serve_arrivals(inbox.loop);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kLoops; ++i) threads.emplace_back(run, i);
  for (std::thread& thread : threads) thread.join();
  CHECK(disorder.load() == 0);
  for (const auto& row : received) {
    for (const int count : row) CHECK(count == kTimes);
  }
}
