// Connections of which this loop has both ends, as tests of a server have them.
#pragma once

#include <vector>

namespace mainspring {

// Whether nobody but this loop can make any of these descriptors ready: each is a listening socket or one end of a
// connection whose other end is among them too, and no data are on their way between the two. A listening socket does
// not count as waiting for others: nobody knows whether they will come.
bool all_are_inner(const std::vector<int>& descriptors);

}  // namespace mainspring
