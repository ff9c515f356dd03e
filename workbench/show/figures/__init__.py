"""Arrays in, plotly figures out: one file a subject.

Every figure has a title, axis titles with units and scales that the colour-blind can read; a map that is missing is a
labelled blank; names are text, whatever they hold.
"""

from workbench.show.figures.pictures import register
from workbench.show.session import pictured

if pictured():
    register()
