# Boot script: chooses the slot, counts its tries, starts it. See image/README.md.
# The state of the slots lies in two raw copies (sectors 0x800 and 0x1000); the newest
# valid one counts, and the other is the one to be written next.
# Memory: kernel 0x200000 (37 MiB unpacked), device tree 0x8000000, initramfs 0x8100000,
# packed kernel 0xa000000. U-Boot's default addresses lie inside of the unpacked kernel.

test -n "${devnum}" || setenv devnum 0
mmc dev ${devnum}

setenv copy none
if mmc read 0x07000000 0x800 1 && env import -c 0x07000000 0x200 seq; then
    setenv copy 0x07000000
    setenv other 0x1000
    setenv newest 0x${seq}
fi
if mmc read 0x07001000 0x1000 1 && env import -c 0x07001000 0x200 seq; then
    if test "${copy}" = none; then setenv newest -1; fi
    if test 0x${seq} -gt ${newest}; then
        setenv copy 0x07001000
        setenv other 0x800
    fi
fi
if test "${copy}" = none; then
    # No state at all: slot A, then B, without counting.
    setenv first a; setenv good_a 1; setenv good_b 1; setenv seq 1
else
    env import -c ${copy} 0x200 seq first good_a good_b tries_a tries_b
fi

setenv save 'setexpr seq ${seq} + 1; env export -c -s 0x200 0x07002000 first good_a good_b seq tries_a tries_b; mmc write 0x07002000 ${other} 1'

# The firmware's device tree (it has the board's memory and MAC addresses in it) moves out
# of the way of the kernel.
fdt addr ${fdt_addr}
fdt move ${fdt_addr} 0x08000000 0x20000
setenv options "panic=10 net.ifnames=0 audit=0 lsm=yama loglevel=4 systemd.show_status=0"
# On a trial the board's watchdog is started right before the system, which has 15 s then to load its
# driver (bcm2835_wdt, first in the initramfs). A system that has proved itself is started without:
# nothing here may keep a good router from starting. The kernel goes on for it until systemd opens it, but no
# longer than watchdog.open_timeout. The registers are WDOG and RSTC of the power management, as
# in Linux' driver. An emulated board would be reset at once; its device tree says so.
setenv arm true
setenv disarm true
if fdt get value watchdog /chosen masqgate,watchdog; then
    setenv options "${options} masqgate.watchdog=${watchdog}"
else
    setenv options "${options} watchdog.handle_boot_enabled=1 watchdog.open_timeout=300"
    setenv power 0x3f1000
    if fdt get addr node /emmc2bus compatible; then setenv power 0xfe1000; fi
    setenv arm 'if test -n "${trial}"; then mw.l ${power}24 0x5a0f0000; mw.l ${power}1c 0x5a000122; fi; true'
    setenv disarm 'mw.l ${power}1c 0x5a000102'
fi

setenv start 'setenv bootargs "console=ttyS1,115200 ${options} masqgate.slot=${slot} ${trial}"; echo "Masqgate: slot ${slot}"; ext4load mmc ${devnum}:${part} 0x08100000 initrd && setenv initrd_size ${filesize} && ext4load mmc ${devnum}:${part} 0x0a000000 Image.gz && unzip 0x0a000000 0x00200000 && run arm && booti 0x00200000 0x08100000:${initrd_size} 0x08000000; run disarm'
setenv start_a 'setenv slot a; setenv part 2; run start'
setenv start_b 'setenv slot b; setenv part 3; run start'
# A system on trial beside a good one is told so: it restarts if it can't prove itself.
setenv try_a 'if test "${good_a}" = 1; then run start_a; elif test "0${tries_a}" -gt 0; then setexpr tries_a ${tries_a} - 1; run save; if test "${good_b}" = 1; then setenv trial masqgate.trial; fi; run start_a; setenv trial; fi'
setenv try_b 'if test "${good_b}" = 1; then run start_b; elif test "0${tries_b}" -gt 0; then setexpr tries_b ${tries_b} - 1; run save; if test "${good_a}" = 1; then setenv trial masqgate.trial; fi; run start_b; setenv trial; fi'

# A start that returns has failed: the other slot is next. When no slot has tries left,
# any slot that loads is better than a router that stands still.
if test "${first}" = b; then
    run try_b; run try_a; run start_b; run start_a
else
    run try_a; run try_b; run start_a; run start_b
fi
echo "Masqgate: no slot could be started; trying again"
sleep 5
reset
