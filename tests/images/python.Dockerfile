# Stands in for python:3.13-slim where no image registry can be reached. pip is told where its packages are by the
# environment, so that the Dockerfile built on top of this is the one that people get.
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin LANG=C.UTF-8 PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
CMD ["python3"]
