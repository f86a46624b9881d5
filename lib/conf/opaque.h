// Names, realms and passwords in the one form that both ends make keys of (RFC 8265 §4.2,
// OpaqueString), as RFC 8489 §9.2.2 and §14.3 want.
#ifndef CONF_OPAQUE_H
#define CONF_OPAQUE_H

// `*text`, from malloc(), is UTF-8 and not empty, and is replaced. Every space becomes U+0020, all
// is normalised to NFC. Joiners (U+200C, U+200D), which RFC 8264 allows in some contexts, are
// refused.
//
// Returns 0; -EINVAL for a character that is no text, -ENOMEM.
int opaque_string(char **text);

#endif
