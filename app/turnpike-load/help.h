// What --help says.
#ifndef HELP_H
#define HELP_H

extern const char help[];

#endif
