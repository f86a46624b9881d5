// turnpike-load: options, then one run.
#include "options.h"
#include "run.h"

int main(int argc, char **argv)
{
	struct options options;
	const int status = options_parse(&options, argc, argv);

	return status >= 0 ? status : run(&options);
}
