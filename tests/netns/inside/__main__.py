"""`python -I -S inside WORD...` by itself; `python -I -S inside serve-forks FD` for `tests.netns.forked`."""

import sys

sys.path.insert(0, __file__.rpartition("/tests/")[0])

from tests.netns.inside import forks, words

match sys.argv[1:]:
    case ["serve-forks", descriptor]:
        forks.serve(int(descriptor))
    case asked:
        words.do(*asked)
