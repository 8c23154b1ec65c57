#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

// A descriptor of a new file that is in memory only; -1 and errno where there is none.
int memory_file(void);

#endif
