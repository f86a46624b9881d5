// What --help says, and what a wrong command line gets.
#ifndef HELP_H
#define HELP_H

extern const char help[];

// Say in one line what is wrong, with the text that is, or NULL. Returns the exit status.
int help_refuse(const char *what, const char *text);

#endif
