// Feeds every file of the folders named on the command line to a fuzz target: what was once found
// stays found. Ends with status 1 where a folder holds nothing.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rbe");
	uint8_t *bytes = malloc(INPUT_MAX);
	uint8_t *exact;
	size_t n;

	if (!file || !bytes) {
		perror(path);
		exit(1);
	}
	n = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	// Its own size, so that a sanitizer sees a read past the end.
	exact = realloc(bytes, n ? n : 1);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static unsigned replay_folder(const char *folder)
{
	DIR *directory = opendir(folder);
	unsigned n_files = 0;
	struct dirent *entry;
	char path[4096];

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		replay_file(path);
		n_files++;
	}
	if (directory)
		closedir(directory);
	printf("%s: %u inputs\n", folder, n_files);
	return n_files;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay_folder(argv[i]) == 0)
			return 1;
	return argc < 2;
}
