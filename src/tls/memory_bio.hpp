// BIOs over memory that somebody else owns: OpenSSL reads records straight from where they were received, and writes
// them straight into the bytes object that is sent. ssl.MemoryBIO would copy them once more.
//
// There is one of each per interpreter, owned by TlsState. It takes the place of a connection's own BIO for as long as
// a scope lasts in which no Python runs; what a scope leaves over goes to the connection's own BIO, so that Python
// finds everything where it expects it.
#pragma once

#include "tls/openssl.hpp"

namespace mainspring {

// What is left to read, or the room that is left to write.
struct Span {
  char* data = nullptr;
  size_t size = 0;
};

class MemoryBios {
 public:
  MemoryBios() = default;
  MemoryBios(const MemoryBios&) = delete;
  MemoryBios& operator=(const MemoryBios&) = delete;
  ~MemoryBios();

  // False when OpenSSL cannot make them. `functions` has to live as long as they.
  bool make(const openssl::Functions& functions);

  openssl::Bio* reader = nullptr;
  openssl::Bio* writer = nullptr;
  // What `reader` reads from and `writer` writes to. `behind` gets what does not fit.
  Span source;
  Span target;
  openssl::Bio* behind = nullptr;
  const openssl::Functions* openssl = nullptr;

 private:
  openssl::BioMethod* method_ = nullptr;
};

// While it lives, `ssl` reads from `data`, then from nothing.
class ReadingFrom {
 public:
  ReadingFrom(MemoryBios& bios, openssl::Ssl* ssl, openssl::Bio* own, const char* data, size_t size);
  ReadingFrom(const ReadingFrom&) = delete;
  ReadingFrom& operator=(const ReadingFrom&) = delete;
  ~ReadingFrom();

 private:
  MemoryBios& bios_;
  openssl::Ssl* ssl_;
  openssl::Bio* own_;
};

// While it lives, `ssl` writes to `data` and, once that is full, to its own BIO, which must be empty at the beginning.
class WritingTo {
 public:
  WritingTo(MemoryBios& bios, openssl::Ssl* ssl, openssl::Bio* own, char* data, size_t size);
  WritingTo(const WritingTo&) = delete;
  WritingTo& operator=(const WritingTo&) = delete;
  ~WritingTo();

  size_t room_left() const { return bios_.target.size; }

 private:
  MemoryBios& bios_;
  openssl::Ssl* ssl_;
  openssl::Bio* own_;
};

}  // namespace mainspring
