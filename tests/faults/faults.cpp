// A library to be preloaded that makes system calls and Python's allocations fail on demand.
//
// The n-th call of a function to which a fault applies fails with an errno, or is cut short. A fault applies where the
// kernel could give it: a spurious EAGAIN needs a non-blocking descriptor, a short read a stream. Calls of children
// between fork and exec, and those of the standard streams, are left alone. Driven through ctypes by injection.py.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

constexpr int kShort = -1000;  // the call is made for one byte or one message
constexpr int kNone = 0;

enum class Kind { kPlain, kReceive, kSend, kDuplicate, kRegister };

struct Function {
  const char* name;
  Kind kind;
  std::vector<int> faults;
};

// One line a system call. Several symbols may belong to one line.
enum Index {
  kAccept,
  kSocket,
  kSocketpair,
  kConnect,
  kBind,
  kListen,
  kReceiveCall,
  kSendCall,
  kSendfile,
  kEpollCreate,
  kEpollCtl,
  kEpollWait,
  kEventfd,
  kTimerfd,
  kPipe,
  kDup,
  kFcntl,
  kIoctl,
  kGetsockopt,
  kSetsockopt,
  kGetsockname,
  kGetpeername,
  kShutdown,
  kClose,
  kPidfdOpen,
  kThread,
  kGetaddrinfo,
  kFunctions
};

const std::vector<Function>& functions() {
  static const std::vector<Function> table = {
      {"accept", Kind::kPlain, {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EINTR, EAGAIN}},
      {"socket", Kind::kPlain, {EMFILE, ENFILE, ENOBUFS}},
      {"socketpair", Kind::kPlain, {EMFILE, ENFILE}},
      {"connect", Kind::kPlain, {ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL}},
      {"bind", Kind::kPlain, {EADDRINUSE, EACCES}},
      {"listen", Kind::kPlain, {EADDRINUSE}},
      {"receive", Kind::kReceive, {EINTR, EAGAIN, ECONNRESET, ENOMEM, ENOBUFS, kShort}},
      {"send", Kind::kSend, {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOMEM, ENOBUFS, kShort}},
      {"sendfile", Kind::kSend, {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOMEM, kShort}},
      {"epoll_create1", Kind::kPlain, {EMFILE, ENFILE, ENOMEM}},
      {"epoll_ctl", Kind::kRegister, {ENOMEM, ENOSPC}},
      {"epoll_wait", Kind::kPlain, {EINTR}},
      {"eventfd", Kind::kPlain, {EMFILE, ENFILE, ENOMEM}},
      {"timerfd_create", Kind::kPlain, {EMFILE, ENFILE, ENOMEM}},
      {"pipe2", Kind::kPlain, {EMFILE, ENFILE}},
      {"dup", Kind::kPlain, {EMFILE}},
      {"fcntl", Kind::kDuplicate, {EMFILE}},
      {"ioctl", Kind::kPlain, {ENOMEM}},
      {"getsockopt", Kind::kPlain, {ENOBUFS}},
      {"setsockopt", Kind::kPlain, {ENOBUFS, ENOMEM}},
      {"getsockname", Kind::kPlain, {ENOBUFS}},
      {"getpeername", Kind::kPlain, {ENOBUFS, ENOTCONN}},
      {"shutdown", Kind::kPlain, {ENOTCONN}},
      {"close", Kind::kPlain, {EINTR, EIO}},
      {"pidfd_open", Kind::kPlain, {EMFILE, ENFILE, ENOMEM, ENOSYS}},
      {"pthread_create", Kind::kPlain, {EAGAIN}},
      {"getaddrinfo", Kind::kPlain, {EAI_MEMORY, EAI_AGAIN}},
  };
  return table;
}

struct State {
  std::mutex mutex;
  bool on = false;
  pid_t process = 0;
  int function = -1;  // the fault to inject
  int fault = 0;
  long nth = 0;
  bool hit = false;
  std::string where;
  long seen[kFunctions][16] = {};
};

State& state() {
  static auto* made = new State;
  return *made;
}

bool applies(const Function& function, int fault, int fd, int operation) {
  if (function.kind == Kind::kPlain) return true;
  if (function.kind == Kind::kDuplicate) return operation == F_DUPFD || operation == F_DUPFD_CLOEXEC;
  // What is registered already takes no more memory.
  if (function.kind == Kind::kRegister) return operation == EPOLL_CTL_ADD;
  struct stat status;
  if (fd <= 2 || fstat(fd, &status) < 0) return false;
  const bool socket = S_ISSOCK(status.st_mode), pipe = S_ISFIFO(status.st_mode);
  if (S_ISREG(status.st_mode) || S_ISCHR(status.st_mode)) return false;
  switch (fault) {
    case EINTR:
      return true;
    case EAGAIN:
      // An eventfd that cannot be written to is one that can be read.
      return (fcntl(fd, F_GETFL) & O_NONBLOCK) && (socket || pipe || function.kind == Kind::kReceive);
    case EPIPE:
      return socket || pipe;
    case kShort: {
      int type = SOCK_STREAM;
      socklen_t size = sizeof type;
      if (socket) getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
      return pipe || (socket && type == SOCK_STREAM);
    }
    case ENOMEM:
      return socket || pipe;
    default:
      return socket;
  }
}

// What becomes of this call: kNone, kShort or the number of an error.
int verdict(Index index, int fd, int operation, void* caller) {
  State& now = state();
  // Looking at a descriptor takes calls of the same kind.
  static thread_local bool looking = false;
  if (!now.on || looking || getpid() != now.process) return kNone;
  const int saved = errno;
  looking = true;
  const std::lock_guard lock(now.mutex);
  const Function& function = functions()[index];
  int result = kNone;
  for (size_t i = 0; i < function.faults.size(); ++i) {
    if (!applies(function, function.faults[i], fd, operation)) continue;
    const long seen = ++now.seen[index][i];
    if (now.hit || index != now.function || static_cast<int>(i) != now.fault || seen != now.nth) continue;
    now.hit = true;
    Dl_info info{};
    now.where = dladdr(caller, &info) && info.dli_fname ? info.dli_fname : "?";
    result = function.faults[i];
  }
  errno = saved;
  looking = false;
  return result;
}

template <typename Type>
Type next(const char* name) {
  return reinterpret_cast<Type>(dlsym(RTLD_NEXT, name));
}

iovec one_byte_at(void* data) { return {data, 1}; }

}  // namespace

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))
#define EXPORT extern "C" __attribute__((visibility("default")))

// Defines `symbol`. `shorten` is what a short call changes in its arguments; `on_error` what is done for a failing one.
#define INTERCEPT(symbol, index, result, parameters, arguments, fd, operation, shorten, on_error) \
  EXPORT result faulty_##symbol parameters __asm__(#symbol);                                      \
  result faulty_##symbol parameters {                                                             \
    static const auto real = next<result(*) parameters>(#symbol);                                 \
    const int fault = verdict(index, fd, operation, CALLER);                                      \
    if (fault == kShort) {                                                                        \
      shorten;                                                                                    \
    } else if (fault != kNone) {                                                                  \
      on_error;                                                                                   \
      errno = fault;                                                                              \
      return -1;                                                                                  \
    }                                                                                             \
    return real arguments;                                                                        \
  }

#define PLAIN(symbol, index, parameters, arguments) INTERCEPT(symbol, index, int, parameters, arguments, -1, 0, , )
#define DATA(symbol, index, parameters, arguments, shorten) \
  INTERCEPT(symbol, index, ssize_t, parameters, arguments, fd, 0, shorten, )
#define ONE_BYTE size = size ? 1 : 0
#define ONE_BYTE_OF_VECTOR                    \
  iovec one = one_byte_at(vectors->iov_base); \
  return real(fd, &one, 1)
#define ONE_BYTE_OF_MESSAGE                            \
  iovec one = one_byte_at(message->msg_iov->iov_base); \
  msghdr less = *message;                              \
  less.msg_iov = &one;                                 \
  less.msg_iovlen = 1;                                 \
  return real(fd, &less, flags)

PLAIN(accept, kAccept, (int fd, sockaddr* address, socklen_t* size), (fd, address, size))
PLAIN(accept4, kAccept, (int fd, sockaddr* address, socklen_t* size, int flags), (fd, address, size, flags))
PLAIN(socket, kSocket, (int family, int type, int protocol), (family, type, protocol))
PLAIN(socketpair, kSocketpair, (int family, int type, int protocol, int* ends), (family, type, protocol, ends))
PLAIN(connect, kConnect, (int fd, const sockaddr* address, socklen_t size), (fd, address, size))
PLAIN(bind, kBind, (int fd, const sockaddr* address, socklen_t size), (fd, address, size))
PLAIN(listen, kListen, (int fd, int backlog), (fd, backlog))
PLAIN(epoll_create1, kEpollCreate, (int flags), (flags))
INTERCEPT(epoll_ctl, kEpollCtl, int, (int fd, int operation, int target, epoll_event* event),
          (fd, operation, target, event), fd, operation, , )
PLAIN(epoll_wait, kEpollWait, (int fd, epoll_event* events, int count, int timeout), (fd, events, count, timeout))
PLAIN(epoll_pwait, kEpollWait, (int fd, epoll_event* events, int count, int timeout, const void* mask),
      (fd, events, count, timeout, mask))
PLAIN(epoll_pwait2, kEpollWait, (int fd, epoll_event* events, int count, const void* timeout, const void* mask),
      (fd, events, count, timeout, mask))
PLAIN(eventfd, kEventfd, (unsigned value, int flags), (value, flags))
PLAIN(timerfd_create, kTimerfd, (int clock, int flags), (clock, flags))
PLAIN(pipe, kPipe, (int* ends), (ends))
PLAIN(pipe2, kPipe, (int* ends, int flags), (ends, flags))
PLAIN(dup, kDup, (int fd), (fd))
PLAIN(dup2, kDup, (int fd, int target), (fd, target))
PLAIN(dup3, kDup, (int fd, int target, int flags), (fd, target, flags))
PLAIN(ioctl, kIoctl, (int fd, unsigned long request, void* argument), (fd, request, argument))
PLAIN(getsockopt, kGetsockopt, (int fd, int level, int name, void* value, socklen_t* size),
      (fd, level, name, value, size))
PLAIN(setsockopt, kSetsockopt, (int fd, int level, int name, const void* value, socklen_t size),
      (fd, level, name, value, size))
PLAIN(getsockname, kGetsockname, (int fd, sockaddr* address, socklen_t* size), (fd, address, size))
PLAIN(getpeername, kGetpeername, (int fd, sockaddr* address, socklen_t* size), (fd, address, size))
PLAIN(shutdown, kShutdown, (int fd, int how), (fd, how))
// Linux closes the descriptor whatever close() returns.
INTERCEPT(close, kClose, int, (int fd), (fd), fd, 0, , real(fd))
INTERCEPT(fcntl, kFcntl, int, (int fd, int operation, long argument), (fd, operation, argument), fd, operation, , )
INTERCEPT(fcntl64, kFcntl, int, (int fd, int operation, long argument), (fd, operation, argument), fd, operation, , )

DATA(read, kReceiveCall, (int fd, void* data, size_t size), (fd, data, size), ONE_BYTE)
DATA(__read_chk, kReceiveCall, (int fd, void* data, size_t size, size_t room), (fd, data, size, room), ONE_BYTE)
DATA(readv, kReceiveCall, (int fd, const iovec* vectors, int count), (fd, vectors, count), ONE_BYTE_OF_VECTOR)
DATA(recv, kReceiveCall, (int fd, void* data, size_t size, int flags), (fd, data, size, flags), ONE_BYTE)
DATA(__recv_chk, kReceiveCall, (int fd, void* data, size_t size, size_t room, int flags), (fd, data, size, room, flags),
     ONE_BYTE)
DATA(recvfrom, kReceiveCall, (int fd, void* data, size_t size, int flags, sockaddr* address, socklen_t* length),
     (fd, data, size, flags, address, length), ONE_BYTE)
DATA(__recvfrom_chk, kReceiveCall,
     (int fd, void* data, size_t size, size_t room, int flags, sockaddr* address, socklen_t* length),
     (fd, data, size, room, flags, address, length), ONE_BYTE)
DATA(recvmsg, kReceiveCall, (int fd, msghdr* message, int flags), (fd, message, flags), ONE_BYTE_OF_MESSAGE)
DATA(recvmmsg, kReceiveCall, (int fd, mmsghdr* messages, unsigned size, int flags, timespec* timeout),
     (fd, messages, size, flags, timeout), )
DATA(write, kSendCall, (int fd, const void* data, size_t size), (fd, data, size), ONE_BYTE)
DATA(writev, kSendCall, (int fd, const iovec* vectors, int count), (fd, vectors, count), ONE_BYTE_OF_VECTOR)
DATA(send, kSendCall, (int fd, const void* data, size_t size, int flags), (fd, data, size, flags), ONE_BYTE)
DATA(sendto, kSendCall, (int fd, const void* data, size_t size, int flags, const sockaddr* address, socklen_t length),
     (fd, data, size, flags, address, length), ONE_BYTE)
DATA(sendmsg, kSendCall, (int fd, const msghdr* message, int flags), (fd, message, flags), ONE_BYTE_OF_MESSAGE)
DATA(sendmmsg, kSendCall, (int fd, mmsghdr* messages, unsigned size, int flags), (fd, messages, size, flags), )
DATA(sendfile, kSendfile, (int fd, int from, off_t* offset, size_t size), (fd, from, offset, size), ONE_BYTE)
DATA(sendfile64, kSendfile, (int fd, int from, off_t* offset, size_t size), (fd, from, offset, size), ONE_BYTE)

// libc's wrappers call read and write inside, where nothing can be intercepted.
EXPORT int faulty_eventfd_read(int fd, uint64_t* value) __asm__("eventfd_read");
int faulty_eventfd_read(int fd, uint64_t* value) { return read(fd, value, sizeof *value) == sizeof *value ? 0 : -1; }
EXPORT int faulty_eventfd_write(int fd, uint64_t value) __asm__("eventfd_write");
int faulty_eventfd_write(int fd, uint64_t value) { return write(fd, &value, sizeof value) == sizeof value ? 0 : -1; }

// CPython and libuv call this one by its number.
EXPORT long faulty_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long faulty_syscall(long number, long a, long b, long c, long d, long e, long f) {
  static const auto real = next<long (*)(long, ...)>("syscall");
  if (number == SYS_pidfd_open) {
    if (const int fault = verdict(kPidfdOpen, -1, 0, CALLER)) {
      errno = fault;
      return -1;
    }
  }
  return real(number, a, b, c, d, e, f);
}

EXPORT int faulty_pthread_create(void* thread, const void* attributes, void* (*start)(void*),
                                 void* argument) __asm__("pthread_create");
int faulty_pthread_create(void* thread, const void* attributes, void* (*start)(void*), void* argument) {
  static const auto real = next<int (*)(void*, const void*, void* (*)(void*), void*)>("pthread_create");
  const int fault = verdict(kThread, -1, 0, CALLER);
  return fault ? fault : real(thread, attributes, start, argument);
}

EXPORT int faulty_getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                              addrinfo** found) __asm__("getaddrinfo");
int faulty_getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto real = next<int (*)(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
  const int fault = verdict(kGetaddrinfo, -1, 0, CALLER);
  return fault ? fault : real(host, service, hints, found);
}

// --- what injection.py calls -----------------------------------------------------------------------------------------

EXPORT int faults_functions() { return kFunctions; }
EXPORT const char* faults_name(int function) { return functions()[static_cast<size_t>(function)].name; }
EXPORT int faults_errno(int function, int fault) {
  const auto& faults = functions()[static_cast<size_t>(function)].faults;
  return static_cast<size_t>(fault) < faults.size() ? faults[static_cast<size_t>(fault)] : 0;
}
EXPORT long faults_seen(int function, int fault) { return state().seen[function][fault]; }

// Counts, and makes the `nth` call fail; none with a negative `function`.
EXPORT void faults_start(int function, int fault, long nth) {
  State& now = state();
  memset(now.seen, 0, sizeof now.seen);
  now.function = function;
  now.fault = fault;
  now.nth = nth;
  now.hit = false;
  now.where.clear();
  now.process = getpid();
  now.on = true;
}

EXPORT bool faults_stop() {
  state().on = false;
  return state().hit;
}

// The file whose call failed.
EXPORT const char* faults_where() { return state().where.c_str(); }

// --- allocations -----------------------------------------------------------------------------------------------------

namespace {

// PyMemAllocatorEx of CPython's C API.
struct Allocator {
  void* context;
  void* (*malloc)(void*, size_t);
  void* (*calloc)(void*, size_t, size_t);
  void* (*realloc)(void*, void*, size_t);
  void (*free)(void*, void*);
};

constexpr int kDomains = 3;
Allocator originals[kDomains];
const char* native_file = nullptr;  // part of the path of the module whose allocations fail; null for all
long allocations = 0, first_failing = 0, last_failing = 0;
uintptr_t evaluation_begins = 0, evaluation_ends = 0;

// Python's interpreter, or one of the standard library's own modules.
enum class Origin : char { kUnknown, kNative, kInterpreted };

Origin origin_of(uintptr_t address) {
  if (address >= evaluation_begins && address < evaluation_ends) return Origin::kInterpreted;
  static auto* known = new std::unordered_map<uintptr_t, Origin>;
  if (const auto found = known->find(address); found != known->end()) return found->second;
  Dl_info info{};
  Origin origin = Origin::kUnknown;
  if (dladdr(reinterpret_cast<void*>(address), &info) && info.dli_fname) {
    if (strstr(info.dli_fname, native_file)) {
      origin = Origin::kNative;
    } else if (strstr(info.dli_fname, "lib-dynload")) {
      origin = Origin::kInterpreted;
    }
  }
  known->emplace(address, origin);
  return origin;
}

_Unwind_Reason_Code look(_Unwind_Context* context, void* found) {
  const Origin origin = origin_of(_Unwind_GetIP(context));
  *static_cast<Origin*>(found) = origin;
  return origin == Origin::kUnknown ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Whether the innermost of our module and the interpreter's loop in the stack is our module.
bool made_by_module() {
  if (!native_file) return true;
  Origin origin = Origin::kUnknown;
  _Unwind_Backtrace(look, &origin);
  return origin == Origin::kNative;
}

bool fails() {
  if (!made_by_module()) return false;
  ++allocations;
  if (allocations < first_failing || allocations > last_failing) return false;
  if (getenv("FAULTS_TRACE")) {
    void* frames[24];
    backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
  }
  return true;
}

void* failing_malloc(void* context, size_t size) {
  auto* original = static_cast<Allocator*>(context);
  return fails() ? nullptr : original->malloc(original->context, size);
}
void* failing_calloc(void* context, size_t count, size_t size) {
  auto* original = static_cast<Allocator*>(context);
  return fails() ? nullptr : original->calloc(original->context, count, size);
}
void* failing_realloc(void* context, void* block, size_t size) {
  auto* original = static_cast<Allocator*>(context);
  return fails() ? nullptr : original->realloc(original->context, block, size);
}
void failing_free(void* context, void* block) {
  auto* original = static_cast<Allocator*>(context);
  original->free(original->context, block);
}

void set_allocator(int domain, Allocator* allocator) {
  reinterpret_cast<void (*)(int, Allocator*)>(dlsym(RTLD_DEFAULT, "PyMem_SetAllocator"))(domain, allocator);
}

}  // namespace

// Allocations of objects and memory (not the raw domain, which other threads use without the GIL) from the `first` to
// the `last` fail.
EXPORT void allocations_start(const char* file, long first, long last) {
  if (!evaluation_begins) {
    void* entry = dlsym(RTLD_DEFAULT, "_PyEval_EvalFrameDefault");
    Dl_info info{};
    const void* symbol = nullptr;
    if (entry && dladdr1(entry, &info, const_cast<void**>(&symbol), RTLD_DL_SYMENT) && symbol) {
      evaluation_begins = reinterpret_cast<uintptr_t>(entry);
      evaluation_ends = evaluation_begins + static_cast<const ElfW(Sym)*>(symbol)->st_size;
    }
  }
  native_file = file;
  allocations = 0;
  first_failing = first;
  last_failing = last;
  for (int domain = 1; domain < kDomains; ++domain) {
    reinterpret_cast<void (*)(int, Allocator*)>(dlsym(RTLD_DEFAULT, "PyMem_GetAllocator"))(domain, &originals[domain]);
    Allocator failing{&originals[domain], failing_malloc, failing_calloc, failing_realloc, failing_free};
    set_allocator(domain, &failing);
  }
}

EXPORT long allocations_stop() {
  for (int domain = 1; domain < kDomains; ++domain) set_allocator(domain, &originals[domain]);
  return allocations;
}
