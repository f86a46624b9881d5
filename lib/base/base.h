// Addresses, bytes, units, memory and the log: what every module may use.
#ifndef BASE_H
#define BASE_H

#include "addr.h"
#include "bucket.h"
#include "budget.h"
#include "bytes.h"
#include "hash.h"
#include "log.h"
#include "pages.h"
#include "random.h"
#include "range.h"
#include "units.h"

#endif
