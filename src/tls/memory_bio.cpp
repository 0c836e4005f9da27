#include "tls/memory_bio.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace mainspring {

namespace {

// From openssl/bio.h.
constexpr int kSourceAndSink = 0x0400;
constexpr int kRetryReading = 0x01 | 0x08;
constexpr int kRetryFlags = 0x0f;
constexpr int kFlush = 11;

// OpenSSL calls the functions below with nothing but the BIO, so the function that gives its data is here. It is the
// same for all interpreters, since a process has one `_ssl`, but each of them sets it, perhaps at the same time.
std::atomic<void* (*)(openssl::Bio*)> get_data = nullptr;

MemoryBios& bios_of(openssl::Bio* bio) {
  return *static_cast<MemoryBios*>(get_data.load(std::memory_order_relaxed)(bio));
}

int read_source(openssl::Bio* bio, char* target, int size) {
  MemoryBios& bios = bios_of(bio);
  bios.openssl->bio_clear_flags(bio, kRetryFlags);
  if (size <= 0) return 0;
  if (bios.source.size == 0) {
    bios.openssl->bio_set_flags(bio, kRetryReading);
    return -1;
  }
  const size_t count = std::min(static_cast<size_t>(size), bios.source.size);
  std::memcpy(target, bios.source.data, count);
  bios.source.data += count;
  bios.source.size -= count;
  return static_cast<int>(count);
}

int write_target(openssl::Bio* bio, const char* data, int size) {
  MemoryBios& bios = bios_of(bio);
  bios.openssl->bio_clear_flags(bio, kRetryFlags);
  if (size <= 0) return 0;
  const auto wanted = static_cast<size_t>(size);
  const size_t count = std::min(wanted, bios.target.size);
  std::memcpy(bios.target.data, data, count);
  bios.target.data += count;
  bios.target.size -= count;
  if (count < wanted) {
    const int rest = static_cast<int>(wanted - count);
    if (bios.openssl->bio_write(bios.behind, data + count, rest) != rest) return -1;
  }
  return size;
}

long control(openssl::Bio*, int command, long, void*) { return command == kFlush; }

}  // namespace

bool MemoryBios::make(const openssl::Functions& functions) {
  openssl = &functions;
  get_data.store(functions.bio_get_data, std::memory_order_relaxed);
  method_ = functions.bio_method_new(kSourceAndSink, "mainspring");
  if (!method_ || !functions.bio_method_set_read(method_, read_source) ||
      !functions.bio_method_set_write(method_, write_target) || !functions.bio_method_set_control(method_, control)) {
    return false;
  }
  reader = functions.bio_new(method_);
  writer = functions.bio_new(method_);
  if (!reader || !writer) return false;
  for (openssl::Bio* bio : {reader, writer}) {
    functions.bio_set_data(bio, this);
    functions.bio_set_init(bio, 1);
  }
  return true;
}

MemoryBios::~MemoryBios() {
  if (reader) openssl->bio_free(reader);
  if (writer) openssl->bio_free(writer);
  if (method_) openssl->bio_method_free(method_);
}

// SSL_set0_rbio and SSL_set0_wbio take over a reference and drop the one that they had.

ReadingFrom::ReadingFrom(MemoryBios& bios, openssl::Ssl* ssl, openssl::Bio* own, const char* data, size_t size)
    : bios_(bios), ssl_(ssl), own_(own) {
  bios.source = {const_cast<char*>(data), size};
  bios.openssl->bio_add_reference(own);
  bios.openssl->bio_add_reference(bios.reader);
  bios.openssl->ssl_set_read_bio(ssl, bios.reader);
}

ReadingFrom::~ReadingFrom() {
  bios_.openssl->ssl_set_read_bio(ssl_, own_);
  if (bios_.source.size > 0) {
    bios_.openssl->bio_write(own_, bios_.source.data, static_cast<int>(bios_.source.size));
  }
  bios_.source = {};
}

WritingTo::WritingTo(MemoryBios& bios, openssl::Ssl* ssl, openssl::Bio* own, char* data, size_t size)
    : bios_(bios), ssl_(ssl), own_(own) {
  bios.target = {data, size};
  bios.behind = own;
  bios.openssl->bio_add_reference(own);
  bios.openssl->bio_add_reference(bios.writer);
  bios.openssl->ssl_set_write_bio(ssl, bios.writer);
}

WritingTo::~WritingTo() {
  bios_.openssl->ssl_set_write_bio(ssl_, own_);
  bios_.target = {};
  bios_.behind = nullptr;
}

}  // namespace mainspring
